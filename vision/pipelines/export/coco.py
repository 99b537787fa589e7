"""COCO's annotation format, as pycocotools and annotation tools read it.

One JSON document, written piece by piece: images, then annotations as they stream in, then the
categories that were met. Beyond COCO's own keys an annotation has `score`, `predicted_iou` and
`stability_score` where the model gives them, and `info` says what made the results.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import orjson

from vision.domain.detections import Detection
from vision.domain.job import Item
from vision.domain.states import ItemState
from vision.pipelines.export.findings import Findings, points_json

VISIBLE = 2
"""COCO's flag of a keypoint that is labelled and seen."""


def write_coco(findings: Findings, file: BinaryIO) -> None:
    """An image that failed isn't among `images` but in `info.failed`: unseen isn't empty."""
    categories = _Categories(findings.keypoint_names)
    file.write(b'{"info":' + orjson.dumps(_info(findings)) + b',"licenses":[],"images":')
    _write_list(file, _images(findings.items))
    file.write(b',"annotations":')
    _write_list(file, _annotations(findings, categories))
    file.write(b',"categories":' + orjson.dumps(categories.listed()) + b"}\n")


class _Categories:
    """COCO's category ids: the model's own class numbers, so that they match its dataset's."""

    def __init__(self, keypoint_names: tuple[str, ...]) -> None:
        self._keypoint_names = keypoint_names
        self._ids: dict[str, int] = {}
        self._keypoints: dict[str, int] = {}

    def id_of(self, detection: Detection) -> int:
        label = detection.label
        if label not in self._ids:
            # Two labels with one number: a model with a broken label list; keep them apart.
            is_taken = detection.class_id in self._ids.values()
            self._ids[label] = max(self._ids.values()) + 1 if is_taken else detection.class_id
        if detection.keypoints is not None:
            self._keypoints[label] = len(detection.keypoints)
        return self._ids[label]

    def listed(self) -> list[dict[str, object]]:
        by_id = sorted(self._ids.items(), key=lambda entry: entry[1])
        return [self._category(label, number) for label, number in by_id]

    def _category(self, label: str, number: int) -> dict[str, object]:
        category: dict[str, object] = {"id": number, "name": label, "supercategory": ""}
        if label in self._keypoints:
            category["keypoints"] = self._names(self._keypoints[label])
            category["skeleton"] = []
        return category

    def _names(self, count: int) -> list[str]:
        if len(self._keypoint_names) == count:
            return list(self._keypoint_names)
        return [f"keypoint_{number}" for number in range(1, count + 1)]


def _info(findings: Findings) -> dict[str, object]:
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


def _images(items: Iterable[Item]) -> Iterator[dict[str, object]]:
    for item in items:
        if item.state is ItemState.DONE:
            yield {
                "id": item.index + 1,
                "file_name": item.filename,
                "width": item.facts.size.width,
                "height": item.facts.size.height,
                "asset_id": str(item.asset_id),
                "provenance_digest": item.provenance_digest,
            }


def _annotations(findings: Findings, categories: _Categories) -> Iterator[dict[str, object]]:
    for number, (item, stored) in enumerate(findings.with_items(), start=1):
        found = stored.detection
        yield {
            "id": number,
            "image_id": item.index + 1,
            "category_id": categories.id_of(found),
            "iscrowd": 0,
            **_shape(found),
            **_keypoints(found),
            **_guesses(found),
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
