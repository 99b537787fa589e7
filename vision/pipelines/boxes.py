"""What lies in a box."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vision.domain.image import RgbImage


def cut_out(image: RgbImage, box: Sequence[float] | NDArray[np.float32]) -> RgbImage:
    """Every pixel that the box x1, y1, x2, y2 touches, as a copy; at least one pixel."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(edge) for edge in box)
    left, right = _span(x1, x2, width)
    top, bottom = _span(y1, y2, height)
    return np.ascontiguousarray(image[top:bottom, left:right])


def _span(start: float, end: float, length: int) -> tuple[int, int]:
    first = min(max(math.floor(start), 0), length - 1)
    return first, min(max(math.ceil(end), first + 1), length)
