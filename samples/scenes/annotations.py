"""Annotations: what a detector is asked to find in a scene."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samples.scenes.scene import Scene

LEAST_VISIBLE_SHARE = 0.3
LEAST_VISIBLE_PIXELS = 40


@dataclass(frozen=True, slots=True)
class Annotations:
    """The objects of one scene that show at least one pixel, one row each."""

    boxes: NDArray[np.float32]
    """(n, 4) x1, y1, x2, y2 in pixels around the visible part; x2, y2 just outside."""
    class_ids: NDArray[np.int64]
    """(n,) from 1."""
    numbers: NDArray[np.int64]
    """(n,) the objects' values in the instance map."""
    is_ignored: NDArray[np.bool_]
    """(n,) hidden or cut off so far that neither finding nor missing them counts."""

    def wanted(self) -> "Annotations":
        """Only the objects that count."""
        kept = ~self.is_ignored
        return Annotations(
            self.boxes[kept], self.class_ids[kept], self.numbers[kept], self.is_ignored[kept]
        )


def annotate(scene: Scene) -> Annotations:
    """Boxes of visible parts, in the order of the instance map (far objects first)."""
    pixels = np.bincount(scene.instances.ravel(), minlength=len(scene.class_ids) + 1)[1:]
    seen = np.flatnonzero(pixels)
    boxes = [_box_around(scene.instances == index + 1) for index in seen]
    needed = np.maximum(LEAST_VISIBLE_PIXELS, LEAST_VISIBLE_SHARE * scene.full_areas)
    return Annotations(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        class_ids=scene.class_ids[seen],
        numbers=seen + 1,
        is_ignored=(pixels < needed)[seen],
    )


def _box_around(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
