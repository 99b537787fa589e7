"""One object followed through a video."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TRACKS_PER_ITEM = 1_000_000
"""Track ids of item i lie in i * TRACKS_PER_ITEM + 1 … (i + 1) * TRACKS_PER_ITEM - 1: unique in the
job and the same whichever item is tracked first. The first item's tracks are 1, 2, 3, …"""
NO_TRACK = 0
"""In an array of track ids: belongs to no track."""


@dataclass(frozen=True, slots=True)
class BestMoment:
    """Where an object shows best."""

    frame_index: int
    pts_seconds: float
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the upright frame."""
    score: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Numbered in order of first appearance."""

    track_id: int
    label: str
    class_id: int
    first_seconds: float
    last_seconds: float
    first_frame: int
    last_frame: int
    detections: int
    """How many it consists of."""
    best: BestMoment
    path: NDArray[np.float64]
    """(k, 3): pts_seconds and the x, y of the box's centre in pixels; thinned, ends included."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectionColumns:
    """All detections of one video in stored order, which is order of time: a tracker's input."""

    chunk: NDArray[np.int64]
    """(n,) with `ord` the key of the stored row."""
    ord: NDArray[np.int64]
    """(n,)"""
    frame_index: NDArray[np.int64]
    """(n,) ascending."""
    pts_seconds: NDArray[np.float64]
    """(n,)"""
    boxes: NDArray[np.float32]
    """(n, 4) x1, y1, x2, y2 in pixels of the upright frame."""
    scores: NDArray[np.float32]
    """(n,) 1.0 where the detector gave none."""
    class_ids: NDArray[np.int64]
    """(n,)"""
    labels: NDArray[np.object_]
    """(n,) str."""

    def __len__(self) -> int:
        return len(self.frame_index)
