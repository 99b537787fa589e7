"""JSON lines: what was found, or why nothing could be, picture by picture.

An image is one line with its detections, classes and embedding. A video is a line about the whole,
whose `detections` is null; then a line per analysed frame; then one per clip and one per track.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from vision.domain.detections import Detection
from vision.domain.job import Item, Job
from vision.domain.media import MediaKind
from vision.domain.stored import StoredDetection
from vision.domain.stored_findings import StoredClassification
from vision.domain.track import Track
from vision.pipelines.export.findings import (
    JobFindings,
    Picture,
    detection_json,
    media_json,
    provenance_of,
    track_json,
)
from vision.pipelines.export.whole_pictures import (
    by_place,
    class_json,
    classification_json,
    vector_json,
)


def write_jsonl(findings: JobFindings, file: BinaryIO) -> None:
    """In the order of the items; a picture in which nothing was found has a line too."""
    for item, pictures in findings.by_item(with_whole=True):
        for line in _lines(findings, item, pictures):
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def item_json(
    job: Job,
    item: Item,
    detections: Iterable[Detection],
    *,
    classes: Iterable[StoredClassification] = (),
    embedding: NDArray[np.float32] | None = None,
) -> dict[str, object]:
    """One image with everything that was found and its provenance, or with its error.

    `classes` is null when nobody was asked for them.
    """
    return _about(job, item) | {
        "detections": [detection_json(one) for one in detections],
        "classes": None if item.classes is None else [class_json(one) for one in classes],
        "embedding": None if embedding is None else vector_json(embedding),
    }


def _lines(
    findings: JobFindings, item: Item, pictures: Iterator[Picture]
) -> Iterator[dict[str, object]]:
    if item.facts.kind is MediaKind.IMAGE:
        for image in pictures:
            yield _image_json(findings.job, image)
        return
    yield _video_json(findings.job, item)
    for frame in pictures:
        yield _frame_json(frame)
    for clip in by_place(classification_json(one) for one in findings.clips(item)):
        yield _clip_json(item, clip)
    for track in findings.tracks(item):
        yield _track_json(item, track)


def _image_json(job: Job, image: Picture) -> dict[str, object]:
    return item_json(
        job,
        image.item,
        (one.detection for one in image.detections),
        classes=image.classes,
        embedding=_vector(image),
    )


def _vector(picture: Picture) -> NDArray[np.float32] | None:
    return None if picture.embedding is None else picture.embedding.vector


def _about(job: Job, item: Item) -> dict[str, object]:
    error = item.error
    return {
        "filename": item.filename,
        "asset_id": str(item.asset_id),
        "state": item.state.value,
        "error": None if error is None else {"code": error.code, "detail": error.detail},
        "media": media_json(item.facts),
        "warnings": list(item.warnings),
        "counts": dict(item.counts),
        "detections": None,
        "classes": None if item.classes is None else [class_json(one) for one in item.classes],
        "embedding": None,
        "provenance": provenance_of(job, item.provenance_digest),
    }


def _video_json(job: Job, item: Item) -> dict[str, object]:
    parameters = item.track_parameters
    return _about(job, item) | {
        "frames_done": None if item.video is None else item.video.frames_done,
        "frames_declared": item.frames_declared,
        "track_parameters": None if parameters is None else dict(parameters),
    }


def _frame_json(frame: Picture) -> dict[str, object]:
    vector = _vector(frame)
    return {
        "filename": frame.item.filename,
        "asset_id": str(frame.item.asset_id),
        "frame_index": frame.frame_index,
        "pts_seconds": frame.pts_seconds,
        "detections": [_tracked_json(stored) for stored in frame.detections],
        "classes": [class_json(one) for one in frame.classes] or None,
        "embedding": None if vector is None else vector_json(vector),
    }


def _clip_json(item: Item, clip: Mapping[str, object]) -> dict[str, object]:
    place = {name: value for name, value in clip.items() if name != "frame_index"}
    return {"filename": item.filename, "asset_id": str(item.asset_id), **place}


def _tracked_json(stored: StoredDetection) -> dict[str, object]:
    return {"track_id": stored.track_id} | detection_json(stored.detection)


def _track_json(item: Item, track: Track) -> dict[str, object]:
    document = track_json(track)
    # In these lines `detections` are the things themselves.
    document["count"] = document.pop("detections")
    return {"filename": item.filename, "asset_id": str(item.asset_id), **document}
