"""One label's detections, given to the library frame by frame."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from vision.pipelines.track_algorithms import Settled

UNNAMED = -1
"""The library's word for a detection without a track."""
BEAT_FRAMES = 32
LEAST_STEP_SECONDS = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class LabelRows:
    """The detections of one label in order of time."""

    boxes: NDArray[np.float32]
    """(n, 4)"""
    scores: NDArray[np.float32]
    """(n,)"""
    frames: NDArray[np.int64]
    """(n,) ascending: position among the analysed frames."""

    def __len__(self) -> int:
        return len(self.frames)


def associate(
    rows: LabelRows,
    seconds: Sequence[float],
    *,
    settled: Settled,
    on_beat: Callable[[], None],
) -> NDArray[np.int64]:
    """(n,) the library's track ids from 0; UNNAMED for none. `seconds` are of all frames."""
    ids = np.full(len(rows), UNNAMED, np.int64)
    tracker = settled.make()
    nothing = _seen(rows, 0, 0)
    visits = _frames(rows.frames, is_idle=lambda: not tracker.tracks)
    for count, (frame, start, stop) in enumerate(visits):
        if count % BEAT_FRAMES == 0:
            on_beat()
        if start == stop:
            tracker.update(nothing, timestamp=seconds[frame])
            continue
        named = tracker.update(_seen(rows, start, stop), timestamp=seconds[frame])
        if named.tracker_id is not None and len(named):
            ids[named.data["row"]] = named.tracker_id
    return ids


def _seen(rows: LabelRows, start: int, stop: int) -> sv.Detections:
    return sv.Detections(
        rows.boxes[start:stop],
        confidence=rows.scores[start:stop],
        data={"row": np.arange(start, stop)},
    )


def _frames(
    frames: NDArray[np.int64], *, is_idle: Callable[[], bool]
) -> Iterator[tuple[int, int, int]]:
    """Every frame and its rows, `start` to `stop`; while nothing is followed, only those with any.

    The first frame is always among them: to BoT-SORT it is a special one.
    """
    with_rows, starts = np.unique(frames, return_index=True)
    stops = np.append(starts[1:], len(frames))
    upcoming = 0
    for frame, start, stop in zip(with_rows.tolist(), starts.tolist(), stops.tolist(), strict=True):
        while upcoming < frame and (upcoming == 0 or not is_idle()):
            yield upcoming, start, start
            upcoming += 1
        yield frame, start, stop
        upcoming = frame + 1


def ascending(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Strictly: the library warns of two frames at one time, which files do have."""
    if not len(seconds) or np.diff(seconds).min(initial=np.inf) > 0:
        return seconds
    steps = np.arange(len(seconds)) * LEAST_STEP_SECONDS
    apart: NDArray[np.float64] = np.maximum.accumulate(seconds - steps) + steps
    return apart
