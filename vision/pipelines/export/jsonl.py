"""JSON lines: what was found, or why nothing could be, picture by picture.

An image is one line with its detections. A video is a line about the whole, whose `detections` is
null; then a line per analysed frame; then a line per track.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import orjson

from vision.domain.detections import Detection
from vision.domain.job import Item, Job
from vision.domain.media import MediaKind
from vision.domain.stored import StoredDetection
from vision.domain.track import Track
from vision.pipelines.export.findings import (
    JobFindings,
    Picture,
    detection_json,
    media_json,
    provenance_of,
    track_json,
)


def write_jsonl(findings: JobFindings, file: BinaryIO) -> None:
    """In the order of the items; a picture in which nothing was found has a line too."""
    for item, pictures in findings.by_item():
        for line in _lines(findings, item, pictures):
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def item_json(job: Job, item: Item, detections: Iterable[Detection]) -> dict[str, object]:
    """One image with its detections, masks and provenance, or with its error."""
    return _about(job, item) | {"detections": [detection_json(one) for one in detections]}


def _lines(
    findings: JobFindings, item: Item, pictures: Iterator[Picture]
) -> Iterator[dict[str, object]]:
    if item.facts.kind is MediaKind.IMAGE:
        for image in pictures:
            yield item_json(findings.job, item, (one.detection for one in image.detections))
        return
    yield _video_json(findings.job, item)
    for frame in pictures:
        yield _frame_json(frame)
    for track in findings.tracks(item):
        yield _track_json(item, track)


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
    return {
        "filename": frame.item.filename,
        "asset_id": str(frame.item.asset_id),
        "frame_index": frame.frame_index,
        "pts_seconds": frame.pts_seconds,
        "detections": [_tracked_json(stored) for stored in frame.detections],
    }


def _tracked_json(stored: StoredDetection) -> dict[str, object]:
    return {"track_id": stored.track_id} | detection_json(stored.detection)


def _track_json(item: Item, track: Track) -> dict[str, object]:
    document = track_json(track)
    # In these lines `detections` are the things themselves.
    document["count"] = document.pop("detections")
    return {"filename": item.filename, "asset_id": str(item.asset_id), **document}
