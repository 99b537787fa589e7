"""Following stored detections, against the library alone on the same boxes."""

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from vision.cli.bench.measure import Figure, at_least, interleaved
from vision.domain.image import ImageSize
from vision.domain.track import DetectionColumns
from vision.domain.video import FrameTimes
from vision.pipelines.stages import TRACK_PARAMETERS, TrackStage
from vision.pipelines.track_algorithms import settle
from vision.pipelines.tracking import follow

SIZE = ImageSize(width=1920, height=1080)
OBJECTS = 50
FRAMES = 200
FPS = 25.0
SEEN = 0.95
"""Share of the objects that a detector finds in a frame."""
JITTER_PIXELS = 1.5
TARGET = 0.9
"""Reading columns, the beginnings of tracks, paths and best moments come on top of the library."""
ROUNDS = 3


def run() -> list[Figure]:
    """One line per algorithm."""
    columns, times = crowd()
    return [_figure(columns, times, TrackStage(algorithm=name)) for name in TRACK_PARAMETERS]


def _figure(columns: DetectionColumns, times: FrameTimes, stage: TrackStage) -> Figure:
    seconds = interleaved(
        {
            "ours": lambda: follow(columns, times, stage, item=0, size=SIZE),
            "library": lambda: _by_the_library(columns, times, stage),
        },
        rounds=ROUNDS,
    )
    return at_least(
        f"Tracking {OBJECTS} objects a frame, {stage.algorithm}",
        ours=f"{FRAMES / seconds['ours']:.0f} frames/s",
        reference=f"the library alone: {FRAMES / seconds['library']:.0f} frames/s",
        ratio=seconds["library"] / seconds["ours"],
        target=TARGET,
    )


def _by_the_library(columns: DetectionColumns, times: FrameTimes, stage: TrackStage) -> None:
    """As its documentation shows: boxes of one frame in, the same boxes with numbers out."""
    tracker = settle(stage, times.pts_seconds).make()
    starts = np.searchsorted(columns.frame_index, np.arange(len(times) + 1))
    for frame, seconds in enumerate(times.pts_seconds.tolist()):
        rows = slice(starts[frame], starts[frame + 1])
        seen = sv.Detections(columns.boxes[rows], confidence=columns.scores[rows])
        tracker.update(seen, timestamp=seconds)


def crowd() -> tuple[DetectionColumns, FrameTimes]:
    """Objects of one label that go straight through the picture, most of them found."""
    rng = np.random.default_rng(3)
    times = FrameTimes(np.arange(FRAMES), np.arange(FRAMES) / FPS)
    boxes = _ways(rng, times.pts_seconds)
    frame, thing = np.nonzero(rng.random((FRAMES, OBJECTS)) < SEEN)
    rows = len(frame)
    columns = DetectionColumns(
        chunk=np.ones(rows, np.int64),
        ord=np.arange(rows),
        frame_index=frame,
        pts_seconds=times.pts_seconds[frame],
        boxes=(boxes[frame, thing] + rng.normal(0, JITTER_PIXELS, (rows, 4))).astype(np.float32),
        scores=rng.uniform(0.5, 1.0, rows).astype(np.float32),
        class_ids=np.ones(rows, np.int64),
        labels=np.full(rows, "thing", np.object_),
    )
    return columns, times


def _ways(rng: np.random.Generator, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(frames, objects, 4)"""
    corner = rng.uniform([0, 0], [SIZE.width, SIZE.height], (OBJECTS, 2))
    speed = rng.uniform(-60, 60, (OBJECTS, 2))
    sides = rng.uniform(40, 120, (OBJECTS, 2))
    corners = corner + speed * seconds[:, None, None]
    return np.concatenate([corners, corners + sides], axis=2)
