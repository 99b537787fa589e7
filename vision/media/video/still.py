"""The frame that is shown at one moment."""

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Final

from av.video.frame import VideoFrame

from vision.domain.video import Chunk
from vision.errors import CorruptVideo
from vision.media.video.chunk_reading import ChunkReading
from vision.media.video.cursor import PacketCursor
from vision.media.video.source import VideoSource

_EARLIEST: Final = -(1 << 53)


def read_still(source: VideoSource, at_seconds: float, *, beat: Callable[[], None]) -> VideoFrame:
    """The last frame with PTS <= `at_seconds` that can be decoded; the first one for earlier
    moments. Raises CorruptVideo."""
    stop = _pts_at(at_seconds, source.time_base) + 1
    chunk = _from_keyframe_before(source, stop, beat=beat)
    for stretch in (chunk, _from_start(chunk, stop)):
        shown = None
        for frame, _ in _reading(source, stretch, beat=beat).frames():
            shown = frame
        if shown is not None:
            return shown
    for frame, _ in _reading(source, _from_start(chunk, None), beat=beat).frames():
        return frame
    raise CorruptVideo("not one frame of the video can be decoded")


def _pts_at(at_seconds: float, time_base: Fraction) -> int:
    """The last PTS that isn't later. A time that we computed from a PTS leads back to it."""
    if not math.isfinite(at_seconds):
        return _EARLIEST if at_seconds < 0 else -_EARLIEST
    pts = math.floor(Fraction(at_seconds) / time_base)
    pts = min(max(pts, _EARLIEST), -_EARLIEST)
    following = float(pts + 1) * time_base.numerator / time_base.denominator
    return pts + 1 if following <= at_seconds else pts


def _from_keyframe_before(source: VideoSource, stop: int, *, beat: Callable[[], None]) -> Chunk:
    cursor = PacketCursor(source, beat=beat)
    cursor.to_keyframe_before(stop)
    first = next(cursor, None)
    pts = None if first is None or not first.is_keyframe else first.pts
    has_keyframe = pts is not None and pts < stop
    return Chunk(
        number=1,
        start_pts=pts if pts is not None and has_keyframe else _EARLIEST,
        end_pts=stop,
        first_index=1 if has_keyframe else 0,
        time_base=source.time_base,
        frames=0,
        seconds=0.0,
        wanted=None,
    )


def _from_start(chunk: Chunk, stop: int | None) -> Chunk:
    return replace(chunk, start_pts=_EARLIEST, end_pts=stop, first_index=0)


def _reading(source: VideoSource, chunk: Chunk, *, beat: Callable[[], None]) -> ChunkReading:
    source.reopen(threads=source.threads)
    return ChunkReading(source, chunk, beat=beat)
