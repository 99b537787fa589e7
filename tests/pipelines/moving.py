"""Detections of objects whose ways are known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.domain.track import DetectionColumns
from vision.domain.video import FrameTimes

Way = Callable[[float], tuple[float, float] | None]
"""Center in pixels at a time in seconds; None while it can't be seen."""
SIDE = 40.0


@dataclass(frozen=True)
class Thing:
    label: str
    way: Way
    score: float = 0.9


@dataclass(frozen=True)
class Watched:
    """What a perfect detector sees of things, and which thing each row is."""

    columns: DetectionColumns
    times: FrameTimes
    thing: NDArray[np.int64]


def straight(
    x: float, y: float, vx: float, vy: float = 0.0, *, hidden: Sequence[tuple[float, float]] = ()
) -> Way:
    """Away from (x, y) at pixels a second, out of sight between the given times."""

    def way(seconds: float) -> tuple[float, float] | None:
        if any(start <= seconds < end for start, end in hidden):
            return None
        return x + vx * seconds, y + vy * seconds

    return way


def steady(seconds: float, fps: float = 25.0) -> list[float]:
    return [frame / fps for frame in range(int(seconds * fps))]


def watch(
    things: Sequence[Thing], times: Sequence[float], *, noise: float = 0.0, misses: float = 0.0
) -> Watched:
    """Rows in order of time, then of `things`. Noise in pixels; misses is a share of rows."""
    random = np.random.default_rng(7)
    seen = [
        (frame, number, center)
        for frame, seconds in enumerate(times)
        for number, thing in enumerate(things)
        if (center := thing.way(seconds)) is not None and random.random() >= misses
    ]
    frames = np.array([frame for frame, _, _ in seen], np.int64)
    numbers = np.array([number for _, number, _ in seen], np.int64)
    centers = np.array([center for _, _, center in seen], np.float64).reshape(-1, 2)
    boxes = np.hstack([centers - SIDE / 2, centers + SIDE / 2])
    boxes += random.normal(0, noise, boxes.shape)
    shown = FrameTimes(np.arange(len(times), dtype=np.int64), np.array(times, np.float64))
    labels = sorted({thing.label for thing in things})
    columns = DetectionColumns(
        chunk=np.ones(len(seen), np.int64),
        ord=np.arange(len(seen), dtype=np.int64),
        frame_index=frames,
        pts_seconds=shown.pts_seconds[frames],
        boxes=boxes.astype(np.float32),
        scores=np.array([things[number].score for number in numbers], np.float32),
        class_ids=np.array([labels.index(things[n].label) for n in numbers], np.int64),
        labels=np.array([things[number].label for number in numbers], np.object_),
    )
    return Watched(columns, shown, numbers)


def ids_of(watched: Watched, track_ids: NDArray[np.int64]) -> Mapping[int, list[int]]:
    """Per thing the track ids that it had, in order of time, each once."""
    return {
        int(thing): list(dict.fromkeys(track_ids[watched.thing == thing].tolist()))
        for thing in np.unique(watched.thing)
    }
