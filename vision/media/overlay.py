"""What to draw on a picture."""

import json
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from vision.domain.detections import Detections
from vision.domain.mask import RleMask


@dataclass(frozen=True, slots=True)
class Overlay:
    """Detections in pixels of the picture they are drawn on, and which parts of them to show."""

    detections: Detections
    draw_masks: bool = True
    draw_boxes: bool = True
    draw_labels: bool = True
    draw_keypoints: bool = True
    track_ids: tuple[int, ...] | None = None
    """One per row; NO_TRACK for a row that belongs to none."""

    def __post_init__(self) -> None:
        if self.track_ids is not None and len(self.track_ids) != len(self.detections):
            raise ValueError(f"{len(self.track_ids)} track ids for {len(self.detections)} rows")

    def to_json(self) -> bytes:
        found = self.detections
        return json.dumps(
            {
                "boxes": found.boxes.tolist(),
                "labels": found.labels,
                "class_ids": found.class_ids.tolist(),
                "scores": None if found.scores is None else found.scores.tolist(),
                "masks": None if found.masks is None else [mask.to_json() for mask in found.masks],
                "keypoints": None if found.keypoints is None else found.keypoints.tolist(),
                "draw": [self.draw_masks, self.draw_boxes, self.draw_labels, self.draw_keypoints],
                "track_ids": self.track_ids,
            }
        ).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """What `to_json` wrote, as far as drawing needs it."""
        document: dict[str, Any] = json.loads(text)
        scores, masks, keypoints = (document[name] for name in ("scores", "masks", "keypoints"))
        rows = len(document["labels"])
        found = Detections(
            boxes=np.array(document["boxes"], np.float32).reshape(rows, 4),
            labels=tuple(document["labels"]),
            class_ids=np.array(document["class_ids"], np.int64),
            scores=None if scores is None else np.array(scores, np.float32),
            masks=None if masks is None else tuple(RleMask.from_json(mask) for mask in masks),
            keypoints=None if keypoints is None else _keypoints(keypoints, rows),
        )
        masks_shown, boxes_shown, labels_shown, keypoints_shown = document["draw"]
        tracks = document["track_ids"]
        return cls(
            found,
            draw_masks=masks_shown,
            draw_boxes=boxes_shown,
            draw_labels=labels_shown,
            draw_keypoints=keypoints_shown,
            track_ids=None if tracks is None else tuple(tracks),
        )


def _keypoints(rows: list[Any], count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    per_row = len(rows[0]) if rows else 0
    return np.array(rows, np.float32).reshape(count, per_row, 3)
