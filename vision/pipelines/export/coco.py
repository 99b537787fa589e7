"""COCO's annotation format, as pycocotools and annotation tools read it.

One JSON document, written piece by piece: annotations as they stream in, the images that they are
about, the videos, then the categories that were met. Beyond COCO's own keys an annotation has
`score`, `predicted_iou` and `stability_score` where the model gives them, and `info` says what
made the results. An analysed frame of a video is an image with `video_id`, `frame_index` and
`pts_seconds`, whether something was found in it or not; its annotations have a `track_id`.
"""

from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import BinaryIO

import orjson

from vision.domain.detections import Detection
from vision.domain.job import Item
from vision.domain.media import MediaKind
from vision.domain.stored import StoredDetection
from vision.pipelines.export.archive import stems
from vision.pipelines.export.coco_categories import Categories
from vision.pipelines.export.findings import JobFindings, Picture, media_json, points_json
from vision.pipelines.export.pictures import is_seen, picture_name

FRAMES_PER_VIDEO = 10_000_000
"""An image's id is the item's index + 1; a frame's is that times this, plus the frame's index."""
_SPOOL_BYTES = 4 * 1024 * 1024
_COPY_BYTES = 1024 * 1024
VISIBLE = 2
"""COCO's flag of a keypoint that is labelled and seen."""


def write_coco(findings: JobFindings, file: BinaryIO) -> None:
    """An image that failed isn't among `images` but in `info.failed`: unseen isn't empty."""
    categories = Categories(findings.keypoint_names)
    file.write(b'{"info":' + orjson.dumps(_info(findings)) + b',"licenses":[],"annotations":')
    with SpooledTemporaryFile(_SPOOL_BYTES) as images:
        # In one pass: an annotation's frame is listed even when it was stored a moment ago.
        pictures = _listed(findings, images)
        _write_list(file, _annotations(pictures, categories))
        file.write(b',"images":[')
        _append(file, images)
    file.write(b'],"videos":')
    _write_list(file, map(_video, filter(_is_video, findings.items)))
    file.write(b',"categories":' + orjson.dumps(categories.listed()) + b"}\n")


def _info(findings: JobFindings) -> dict[str, object]:
    job = findings.job
    return {
        "description": f"Detections of job {job.id}",
        "version": "1.0",
        "job_id": str(job.id),
        "job_state": job.state.value,
        "pipeline": job.pipeline,
        "pipeline_sha256": job.pipeline_sha256,
        "provenances": list(job.provenances),
        "failed": [
            {"file_name": item.filename, "code": item.error.code, "detail": item.error.detail}
            for item in findings.items
            if item.error is not None
        ],
    }


def _listed(findings: JobFindings, images: SpooledTemporaryFile[bytes]) -> Iterator[Picture]:
    """The pictures that were analysed; each is noted in `images` on its way."""
    names = stems(findings.items)
    for position, picture in enumerate(filter(is_seen, findings.pictures())):
        entry = _image(picture, names[picture.item.index])
        images.write((b"," if position else b"") + orjson.dumps(entry))
        yield picture


def _image(picture: Picture, stem: str) -> dict[str, object]:
    item = picture.item
    image: dict[str, object] = {
        "id": _image_id(picture),
        "file_name": item.filename,
        "width": item.facts.size.width,
        "height": item.facts.size.height,
        "asset_id": str(item.asset_id),
        "provenance_digest": item.provenance_digest,
    }
    if picture.frame_index is None:
        return image
    return image | {
        "file_name": f"{picture_name(picture, stem)}.jpg",
        "video_id": item.index + 1,
        "frame_index": picture.frame_index,
        "pts_seconds": picture.pts_seconds,
    }


def _image_id(picture: Picture) -> int:
    number = picture.item.index + 1
    frame = picture.frame_index
    return number if frame is None else number * FRAMES_PER_VIDEO + frame


def _is_video(item: Item) -> bool:
    return item.facts.kind is MediaKind.VIDEO


def _video(item: Item) -> dict[str, object]:
    parameters = item.track_parameters
    return {
        "id": item.index + 1,
        "file_name": item.filename,
        "asset_id": str(item.asset_id),
        "state": item.state.value,
        "frames_declared": item.frames_declared,
        "track_parameters": None if parameters is None else dict(parameters),
        **media_json(item.facts),
    }


def _annotations(
    pictures: Iterable[Picture], categories: Categories
) -> Iterator[dict[str, object]]:
    number = 0
    for picture in pictures:
        image_id = _image_id(picture)
        for stored in picture.detections:
            number += 1
            yield {"id": number, "image_id": image_id, **_annotation(stored, categories)}


def _annotation(stored: StoredDetection, categories: Categories) -> dict[str, object]:
    found = stored.detection
    track = {} if stored.track_id is None else {"track_id": stored.track_id}
    return {
        "category_id": categories.id_of(found),
        "iscrowd": 0,
        **_shape(found),
        **_keypoints(found),
        **_guesses(found),
        **track,
    }


def _shape(found: Detection) -> dict[str, object]:
    x1, y1, x2, y2 = found.box
    width, height = x2 - x1, y2 - y1
    if found.mask is None:
        return {"bbox": [x1, y1, width, height], "area": width * height, "segmentation": []}
    return {
        "bbox": [x1, y1, width, height],
        "area": found.mask.area,
        "segmentation": found.mask.to_json(),
    }


def _keypoints(found: Detection) -> dict[str, object]:
    if found.keypoints is None:
        return {}
    points = points_json(found.keypoints)
    return {
        "keypoints": [value for x, y, _ in points for value in (x, y, VISIBLE)],
        "num_keypoints": len(points),
        "keypoint_scores": [score for _, _, score in points],
    }


def _guesses(found: Detection) -> dict[str, object]:
    guesses = {
        "score": found.score,
        "predicted_iou": found.predicted_iou,
        "stability_score": found.stability_score,
    }
    return {name: value for name, value in guesses.items() if value is not None}


def _write_list(file: BinaryIO, entries: Iterable[object]) -> None:
    file.write(b"[")
    for position, entry in enumerate(entries):
        file.write((b"," if position else b"") + orjson.dumps(entry))
    file.write(b"]")


def _append(file: BinaryIO, spool: SpooledTemporaryFile[bytes]) -> None:
    spool.seek(0)
    while piece := spool.read(_COPY_BYTES):
        file.write(piece)
