"""JSON lines: one line per image with everything found in it, or with its error."""

from collections.abc import Iterable
from typing import BinaryIO

import orjson

from vision.domain.detections import Detection
from vision.domain.job import Item, Job
from vision.pipelines.export.findings import Findings, detection_json, media_json, provenance_of


def write_jsonl(findings: Findings, file: BinaryIO) -> None:
    """In the order of the items; an image in which nothing was found has a line too."""
    for item, stored in findings.by_item():
        line = item_json(findings.job, item, (one.detection for one in stored))
        file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def item_json(job: Job, item: Item, detections: Iterable[Detection]) -> dict[str, object]:
    """One image with its detections, masks and provenance, or with its error."""
    error = item.error
    return {
        "filename": item.filename,
        "asset_id": str(item.asset_id),
        "state": item.state.value,
        "error": None if error is None else {"code": error.code, "detail": error.detail},
        "media": media_json(item.facts),
        "warnings": list(item.warnings),
        "counts": dict(item.counts),
        "detections": [detection_json(detection) for detection in detections],
        "provenance": provenance_of(job, item.provenance_digest),
    }
