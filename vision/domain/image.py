"""Pixels and their size."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RgbImage: TypeAlias = NDArray[np.uint8]
"""(height, width, 3) uint8, RGB, upright."""


@dataclass(frozen=True, slots=True)
class ImageSize:
    """Pixels across and down."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"an image is at least 1x1, not {self.width}x{self.height}")

    @classmethod
    def of(cls, image: RgbImage) -> "ImageSize":
        """The size of an array of shape (height, width, …)."""
        return cls(width=int(image.shape[1]), height=int(image.shape[0]))

    @property
    def pixels(self) -> int:
        return self.width * self.height
