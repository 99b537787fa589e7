"""What the sample pictures really contain, and how results compare with it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as run_lengths

from samples.evaluation.overlap import box_ious

SAME_IOU = 0.5
"""Boxes that overlap so much mean the same object."""

Found = Mapping[str, Any]
"""A detection as the API says it."""


@dataclass(frozen=True, slots=True)
class TrueObject:
    """One object of a scene."""

    label: str
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels."""
    mask: Mapping[str, Any]
    """COCO run lengths."""
    is_hidden: bool
    """Too hidden to be counted, found or not."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Over all pictures."""

    objects: int
    mask_ious: tuple[float, ...]
    """Of the objects that were found."""
    others: int
    """Detections that mean no object."""

    def __str__(self) -> str:
        mean = float(np.mean(self.mask_ious)) if self.mask_ious else 0.0
        return (
            f"{len(self.mask_ious)} of the {self.objects} objects in the scenes were found, "
            f"their masks overlap the true ones by {mean:.2f}; {self.others} finds are wrong"
        )


class Truth:
    """The objects of each picture by its file name."""

    def __init__(self, objects: Mapping[str, Sequence[TrueObject]]) -> None:
        self._objects = objects

    @property
    def pictures(self) -> frozenset[str]:
        return frozenset(self._objects)

    def has_objects(self, file_name: str) -> bool:
        """Some that count."""
        return any(not one.is_hidden for one in self._objects.get(file_name, ()))

    def compared(self, found: Mapping[str, Sequence[Found]]) -> Comparison:
        """Each object is found by at most one detection of its label, the best scored first."""
        counted = [one for objects in self._objects.values() for one in objects]
        ious: list[float] = []
        others = 0
        for file_name, objects in self._objects.items():
            matches, wrong = _matched(objects, found.get(file_name, ()))
            ious += matches
            others += wrong
        visible = sum(not one.is_hidden for one in counted)
        return Comparison(objects=visible, mask_ious=tuple(ious), others=others)


def read_truth(path: Path) -> Truth:
    """From a COCO document; `iscrowd` marks what is hidden."""
    document = json.loads(path.read_text(encoding="utf-8"))
    labels = {category["id"]: category["name"] for category in document["categories"]}
    names = {image["id"]: image["file_name"] for image in document["images"]}
    objects: dict[str, list[TrueObject]] = {name: [] for name in names.values()}
    for annotation in document["annotations"]:
        x, y, width, height = annotation["bbox"]
        objects[names[annotation["image_id"]]].append(
            TrueObject(
                label=labels[annotation["category_id"]],
                box=(x, y, x + width, y + height),
                mask=annotation["segmentation"],
                is_hidden=bool(annotation["iscrowd"]),
            )
        )
    return Truth(objects)


def _matched(objects: Sequence[TrueObject], found: Sequence[Found]) -> tuple[list[float], int]:
    """Mask overlaps of the visible objects that were found, and detections left over."""
    left = list(objects)
    ious: list[float] = []
    others = 0
    for detection in sorted(found, key=lambda one: float(one["score"]), reverse=True):
        match = _best(left, detection)
        if match is None:
            others += 1
            continue
        left.remove(match)
        if not match.is_hidden:
            overlap = run_lengths.iou([dict(detection["mask"])], [dict(match.mask)], [0])
            ious.append(float(overlap[0, 0]))
    return ious, others


def _best(objects: Sequence[TrueObject], detection: Found) -> TrueObject | None:
    same = [one for one in objects if one.label == detection["label"]]
    if not same:
        return None
    boxes = np.array([one.box for one in same], np.float32)
    overlaps = box_ious(boxes, np.array([detection["box"]], np.float32))[:, 0]
    best = int(overlaps.argmax())
    return same[best] if overlaps[best] >= SAME_IOU else None
