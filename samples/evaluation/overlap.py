"""Intersection over union of boxes and masks."""

import numpy as np
from numpy.typing import NDArray

SMALLEST_AREA = 1e-9


def mask_iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """0 when both are empty."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 0.0


def box_ious(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, m) float32 of (n, 4) and (m, 4) boxes x1, y1, x2, y2."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (first, second)]
    united = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(united, SMALLEST_AREA), np.float32)
