"""What a person points at: clicks and boxes, in pixels of the upright image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Prompts:
    """All points together describe one object; every box describes one object of its own."""

    points: NDArray[np.float32]
    """(n, 3) float32: x, y in pixels, and 1 for inside or 0 for outside."""
    boxes: NDArray[np.float32]
    """(m, 4) float32: x1, y1, x2, y2 in pixels."""

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.points.shape[1] != 3:
            raise ValueError(f"points have shape (n, 3), not {self.points.shape}")
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4:
            raise ValueError(f"boxes have shape (m, 4), not {self.boxes.shape}")

    @classmethod
    def from_boxes(cls, boxes: NDArray[np.float32]) -> "Prompts":
        """From (m, 4) float32."""
        return cls(np.zeros((0, 3), np.float32), boxes)

    @property
    def objects(self) -> int:
        """How many masks come back."""
        return len(self.boxes) + (1 if len(self.points) else 0)
