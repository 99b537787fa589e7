"""segment-anything's answers as our values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.domain.detections import ANY_OBJECT, Detections
from vision.domain.image import ImageSize
from vision.domain.mask import RleMask
from vision.models.base import PromptedMasks


def everything(records: Sequence[Mapping[str, Any]]) -> Detections:
    """From upstream's records with COCO run lengths, in their order."""
    return Detections(
        boxes=_boxes_xyxy(records),
        labels=(ANY_OBJECT,) * len(records),
        class_ids=np.zeros(len(records), np.int64),
        masks=tuple(RleMask.from_json(record["segmentation"]) for record in records),
        predicted_iou=_column(records, "predicted_iou"),
        stability_scores=_column(records, "stability_score"),
    )


def joined(parts: Sequence[PromptedMasks]) -> PromptedMasks:
    """All of them, in order."""
    return PromptedMasks(
        masks=tuple(mask for part in parts for mask in part.masks),
        boxes=np.concatenate([np.zeros((0, 4), np.float32), *(part.boxes for part in parts)]),
        predicted_iou=np.concatenate(
            [np.zeros(0, np.float32), *(part.predicted_iou for part in parts)]
        ),
    )


def no_masks(objects: int, size: ImageSize) -> PromptedMasks:
    """An empty mask for each object, with no trust in it."""
    empty = RleMask.from_bitmap(np.zeros((size.height, size.width), np.bool_))
    return PromptedMasks(
        masks=(empty,) * objects,
        boxes=np.zeros((objects, 4), np.float32),
        predicted_iou=np.zeros(objects, np.float32),
    )


def _boxes_xyxy(records: Sequence[Mapping[str, Any]]) -> NDArray[np.float32]:
    """From upstream's x, y, width, height."""
    boxes = np.array([record["bbox"] for record in records], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _column(records: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.float32]:
    return np.array([record[name] for record in records], np.float32)
