"""Which frames of a video are analysed, and in which pieces. Fixed once, before any is decoded."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vision.domain.video import Chunk, FrameIndex, VideoIndex, WantedFrame
from vision.errors import InvalidRequest, NoFrames
from vision.pipelines.stages import SampleStage

EVERY_FRAME = SampleStage()
INT64_SAFE = 1 << 62


@dataclass(frozen=True, slots=True)
class Cut:
    """A video in pieces of bounded work that any worker can take."""

    chunks: tuple[Chunk, ...]
    """At least one, in order of time, numbered from 1; none of them without a frame."""
    frames_declared: int
    """How many frames would be analysed if the file were whole: the sum over the chunks, and
    more than that when the file was cut short before the wanted stretch ends."""


def cut(index: VideoIndex, sample: SampleStage | None, *, chunk_frames: int) -> Cut:
    """Chunks that begin at keyframes, each of `chunk_frames` analysed frames or a little more.

    What lies between two keyframes is never divided: a video with one keyframe is one chunk.
    Frames before the first keyframe belong to the first chunk. A frame is chosen when it is the
    first of its stretch of step_seconds, counted from the first frame that could be chosen; which
    ones are does not depend on `chunk_frames`. Raises NoFrames.
    """
    chosen = choose(index, sample)
    return Cut(tuple(chosen.chunks(chunk_frames)), chosen.frames_declared)


def choose(index: VideoIndex, sample: SampleStage | None) -> "Chosen":
    """The frames that are analysed: at least one. Raises NoFrames."""
    sample = sample or EVERY_FRAME
    stretch = _stretch(index.frames, sample)
    positions = _chosen(index.frames, sample, stretch)
    if not len(positions):
        raise NoFrames(_nothing_there(index, sample))
    return Chosen(index, stretch, positions)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Positions `start` to `stop` of the frames between two moments, `stop` excluded."""

    start: int
    stop: int
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Frames of a video that are analysed."""

    index: VideoIndex
    stretch: _Stretch
    positions: NDArray[np.int64]
    """(n,) int64, ascending, n at least 1: which of the index's frames."""

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(n,) float64: the times of the chosen frames."""
        times: NDArray[np.float64] = self.index.frames.seconds()[self.positions]
        return times

    @property
    def frames_declared(self) -> int:
        """How many there would be if the file were whole."""
        return _frames_declared(self.index, self.stretch, len(self.positions))

    def since(self, place: int) -> "Chosen":
        """Without those before the `place`-th, from 0."""
        start = int(self.positions[place])
        seconds = float(self.index.frames.seconds()[start])
        stretch = replace(self.stretch, start=start, start_seconds=seconds)
        return replace(self, stretch=stretch, positions=self.positions[place:])

    def until(self, place: int, *, counts_it: bool = True) -> "Chosen":
        """Without those after the `place`-th, from 0; whether the time that one is shown counts."""
        stop = int(self.positions[place]) + 1
        times = self.index.frames.seconds()
        after = float(times[stop]) if stop < len(times) else math.inf
        seconds = after if counts_it else float(times[stop - 1])
        stretch = replace(self.stretch, stop=stop, end_seconds=min(seconds, self._end_seconds))
        return replace(self, stretch=stretch, positions=self.positions[: place + 1])

    def shown_at(self, seconds: float) -> int:
        """Place of the chosen frame that is shown then, from 0. Raises InvalidRequest."""
        # Compared as floats: whoever copies a time out of an answer means that very frame.
        place = int(np.searchsorted(self.seconds, seconds, side="right")) - 1
        if place < 0 or seconds > self._end_seconds:
            start = float(self.seconds[0])
            raise InvalidRequest(
                f"no analysed frame is shown at {seconds:g} s; "
                f"they are from {start:g} s to {self._end_seconds:g} s"
            )
        return place

    @property
    def _end_seconds(self) -> float:
        return min(self.stretch.end_seconds, _end_seconds(self.index.frames))

    def chunks(self, chunk_frames: int, *, all_listed: bool = False) -> Iterator[Chunk]:
        """As `cut` says. `all_listed` names every frame, also where none is left out."""
        pieces = _Pieces(self.index, self.stretch, self.positions, all_listed=all_listed)
        return pieces.chunks(chunk_frames)


def _stretch(frames: FrameIndex, sample: SampleStage) -> _Stretch:
    start = _first_not_before(frames, sample.start_seconds, otherwise=0)
    stop = max(start, _first_not_before(frames, sample.end_seconds, otherwise=len(frames)))
    return _Stretch(
        start,
        stop,
        -math.inf if sample.start_seconds is None else sample.start_seconds,
        math.inf if sample.end_seconds is None else sample.end_seconds,
    )


def _first_not_before(frames: FrameIndex, seconds: float | None, *, otherwise: int) -> int:
    if seconds is None:
        return otherwise
    # Compared as integers: a frame at exactly this time is never lost to rounding.
    first_pts = math.ceil(Fraction(str(seconds)) / frames.time_base)
    return int(np.searchsorted(frames.pts, _clipped(first_pts), side="left"))


def _clipped(pts: int) -> np.int64:
    limits = np.iinfo(np.int64)
    return np.int64(min(max(pts, limits.min), limits.max))


def _chosen(frames: FrameIndex, sample: SampleStage, stretch: _Stretch) -> NDArray[np.int64]:
    """Positions, ascending."""
    candidates = np.arange(stretch.start, stretch.stop, dtype=np.int64)
    if sample.keyframes_only:
        candidates = candidates[_starts_decoding(frames)[stretch.start : stretch.stop]]
    if sample.step_seconds is None or not len(candidates):
        return candidates
    pts = frames.pts[candidates]
    bins = _floored(pts - pts[0], frames.time_base / sample.step_seconds)
    return candidates[np.concatenate(([True], bins[1:] != bins[:-1]))]


def _starts_decoding(frames: FrameIndex) -> NDArray[np.bool_]:
    if frames.is_keyframe.any():
        return frames.is_keyframe
    # Some files flag nothing: then decoding starts where the file does.
    first_only = np.zeros(len(frames), np.bool_)
    first_only[:1] = True
    return first_only


def _floored(deltas: NDArray[np.int64], factor: Fraction) -> NDArray[np.int64]:
    """floor(deltas × factor), exactly."""
    if int(deltas[-1]) * factor.numerator < INT64_SAFE and factor.denominator < INT64_SAFE:
        small: NDArray[np.int64] = deltas * factor.numerator // factor.denominator
        return small
    # Slower, and exact for time bases of nanoseconds with steps of many digits too.
    exact = deltas.astype(np.object_) * factor.numerator // factor.denominator
    return np.array(exact, np.int64)


def _nothing_there(index: VideoIndex, sample: SampleStage) -> str:
    if not len(index.frames):
        return "the video has no frames"
    start, end = index.frames.seconds()[[0, -1]]
    what = "keyframe" if sample.keyframes_only else "frame"
    return f"no {what} in the wanted stretch of time; the video is from {start:g} s to {end:g} s"


def _frames_declared(index: VideoIndex, stretch: _Stretch, chosen: int) -> int:
    missing = index.frames_declared - len(index.frames)
    if missing <= 0 or stretch.stop < len(index.frames):
        return chosen  # nothing is missing of what was asked for
    return chosen + max(1, round(missing * chosen / (stretch.stop - stretch.start)))


class _Pieces:
    """The chosen frames of a video, by the keyframe from which each is decoded."""

    def __init__(
        self,
        index: VideoIndex,
        stretch: _Stretch,
        chosen: NDArray[np.int64],
        *,
        all_listed: bool,
    ) -> None:
        self._all_listed = all_listed
        self._frames = index.frames
        self._stretch = stretch
        self._chosen = chosen
        self._starts = _group_starts(index.frames)
        self._seconds_at = index.frames.seconds()
        # Per group of pictures the number of frames chosen up to its end.
        ends = np.append(self._starts[1:], len(index.frames))
        self._chosen_until = np.searchsorted(chosen, ends, side="left")

    def chunks(self, chunk_frames: int) -> Iterator[Chunk]:
        """In order of time; together they hold every chosen frame once."""
        group = int(np.searchsorted(self._chosen_until, 0, side="right"))
        done, number = 0, 0
        while done < len(self._chosen):
            number += 1
            closing = int(np.searchsorted(self._chosen_until, done + chunk_frames, side="left"))
            until = self._next_group(closing)
            yield self._chunk(number, (group, until), done)
            group, done = until, int(self._chosen_until[until - 1])

    def _next_group(self, closing: int) -> int:
        """After the group that fills a chunk; the last chunk takes the rest of the stretch."""
        if closing >= len(self._starts) or self._chosen_until[closing] == len(self._chosen):
            return self._last_group() + 1
        return closing + 1

    def _last_group(self) -> int:
        return int(np.searchsorted(self._starts, self._stretch.stop - 1, side="right")) - 1

    def _chunk(self, number: int, groups: tuple[int, int], done: int) -> Chunk:
        group, until = groups
        first = int(self._starts[group])
        stop = int(self._starts[until]) if until < len(self._starts) else len(self._frames)
        chosen = self._chosen[done : int(self._chosen_until[until - 1])]
        leaves_some_out = self._all_listed or len(chosen) < stop - first
        return Chunk(
            number=number,
            start_pts=int(self._frames.pts[first]),
            end_pts=None if stop == len(self._frames) else int(self._frames.pts[stop]),
            first_index=first,
            time_base=self._frames.time_base,
            frames=len(chosen),
            seconds=self._seconds(first, stop),
            wanted=self._wanted(chosen) if leaves_some_out else None,
        )

    def _seconds(self, first: int, stop: int) -> float:
        start = max(float(self._seconds_at[first]), self._stretch.start_seconds)
        at_end = stop == len(self._frames)
        end = _end_seconds(self._frames) if at_end else float(self._seconds_at[stop])
        return max(0.0, min(end, self._stretch.end_seconds) - start)

    def _wanted(self, chosen: NDArray[np.int64]) -> tuple[WantedFrame, ...]:
        # A group begins at the PTS of its keyframe; the first one at the first frame.
        before = self._starts[np.searchsorted(self._starts, chosen, side="right") - 1]
        pts = self._frames.pts
        columns = (pts[chosen].tolist(), chosen.tolist(), pts[before].tolist())
        return tuple(map(WantedFrame, *columns))


def _end_seconds(frames: FrameIndex) -> float:
    """When the last frame is gone: it is taken to last as long as the typical one."""
    times = frames.seconds()
    if len(times) == 1:
        return float(times[0])
    return float(times[-1] + np.median(np.diff(times)))


def _group_starts(frames: FrameIndex) -> NDArray[np.int64]:
    """Positions at which a group of pictures begins; the first frame begins the first one."""
    keyframes = np.flatnonzero(_starts_decoding(frames))[1:]
    # A chunk is a range of PTS: frames that share the keyframe's PTS go with it.
    starts = np.searchsorted(frames.pts, frames.pts[keyframes], side="left")
    return np.unique(np.concatenate(([0], starts)))
