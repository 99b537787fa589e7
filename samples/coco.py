"""Scenes as a COCO document: images, categories, boxes and run-length masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as run_lengths

from samples.scenes.annotations import annotate
from samples.scenes.objects import KINDS
from samples.scenes.scene import Scene


class RunLengths(TypedDict):
    """COCO's compressed run-length encoding: [height, width] and column-major counts."""

    size: list[int]
    counts: str


class CocoImage(TypedDict):
    id: int
    file_name: str
    width: int
    height: int


class CocoAnnotation(TypedDict):
    id: int
    image_id: int
    category_id: int
    bbox: list[float]
    """x, y, width, height in pixels."""
    area: int
    segmentation: RunLengths
    iscrowd: int
    """1 for an object too hidden to count: COCO's evaluation ignores it."""


class CocoCategory(TypedDict):
    id: int
    name: str


class CocoDocument(TypedDict):
    info: dict[str, str]
    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[CocoCategory]


@dataclass(frozen=True, slots=True)
class NamedScene:
    """A scene and the file its picture is, or will be, in."""

    file_name: str
    scene: Scene


def coco_document(named: Sequence[NamedScene], *, description: str) -> CocoDocument:
    """Image ids count from 1 in the given order, annotation ids through all images."""
    annotations: list[CocoAnnotation] = []
    images: list[CocoImage] = []
    for image_id, item in enumerate(named, 1):
        height, width = item.scene.instances.shape
        images.append(
            {"id": image_id, "file_name": item.file_name, "width": width, "height": height}
        )
        annotations += _annotations(item.scene, image_id=image_id, first_id=len(annotations) + 1)
    categories: list[CocoCategory] = [
        {"id": number, "name": kind.label} for number, kind in enumerate(KINDS, 1)
    ]
    return {
        "info": {"description": description},
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }


def _annotations(scene: Scene, *, image_id: int, first_id: int) -> list[CocoAnnotation]:
    objects = annotate(scene)
    found: list[CocoAnnotation] = []
    for row, (x1, y1, x2, y2) in enumerate(objects.boxes.tolist()):
        mask = scene.instances == objects.numbers[row]
        found.append(
            {
                "id": first_id + row,
                "image_id": image_id,
                "category_id": int(objects.class_ids[row]),
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": int(mask.sum()),
                "segmentation": encoded_mask(mask),
                "iscrowd": int(objects.is_ignored[row]),
            }
        )
    return found


def encoded_mask(mask: NDArray[np.bool_]) -> RunLengths:
    """A (height, width) mask in COCO's compressed form."""
    encoded = run_lengths.encode(np.asfortranarray(mask, np.uint8))
    return {"size": [int(side) for side in encoded["size"]], "counts": encoded["counts"].decode()}
