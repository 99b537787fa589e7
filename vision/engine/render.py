"""A video with its results drawn on it: for workers, and for the command line without a database.

PyAV's encoder is behind this module: workers only, never the API.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from vision.domain.detections import Detections
from vision.domain.video import Frame, VideoIndex
from vision.engine.progress import unobserved
from vision.engine.station import OnBeat, VideoCodec, VideoReader
from vision.engine.video_pieces import stretch
from vision.engine.video_reading import FrameReading
from vision.errors import BadMedia, NoFrames
from vision.media.draw import draw
from vision.media.overlay import Overlay
from vision.media.video_writer import VideoWriter


@dataclass(frozen=True, slots=True, eq=False)
class AnalysedFrame:
    """What one analysed frame shows, and those after it until the next analysed one."""

    pts_seconds: float
    overlay: Overlay


OnFrame: TypeAlias = Callable[[int, int], None]
"""Called with the number of frames drawn, and of frames to draw; may raise to stop it."""


def uncounted(_done: int, _total: int) -> None:
    """For callers who only wait for the end."""


def render(
    reader: VideoReader,
    source: Path | bytes,
    analysed: Iterable[AnalysedFrame],
    *,
    path: Path,
    codec: VideoCodec,
    end_seconds: float | None = None,
    on_beat: OnBeat = unobserved,
    on_frame: OnFrame = uncounted,
) -> int:
    """Every frame of the video from the first analysed one to before `end_seconds`, as an MP4.

    `analysed` is in order of time and read as it is needed. Frames that can't be decoded are left
    out. Returns the number of frames. Raises the kinds of BadMedia when there is none, and what
    the callbacks raise; then `path` holds no video.
    """
    index = reader.index(source, on_beat=on_beat)
    shown = _Shown(analysed)
    start, stop = _bounds(index, shown.start_seconds, end_seconds)
    piece = stretch(index, start=start, stop=stop)
    with (
        VideoWriter(path, index.facts.size, codec=codec, time_base=piece.time_base) as writer,
        FrameReading(reader, source, piece, on_beat=on_beat) as frames,
    ):
        drawing = _Drawing(writer, index, shown)
        wanted = (frame for frame in frames if frame.frame_index >= start)
        return drawing.add_all(wanted, lambda done: on_frame(done, stop - start))


class _Drawing:
    """Frames with what they show, into the file."""

    def __init__(self, writer: VideoWriter, index: VideoIndex, shown: "_Shown") -> None:
        self._writer = writer
        self._pts = index.frames.pts
        self._shown = shown
        self._last_pts: int | None = None
        self._written = 0

    def add_all(self, frames: Iterable[Frame], on_frame: Callable[[int], None]) -> int:
        """Those that come before something goes wrong with the file; BadMedia without one."""
        try:
            for frame in frames:
                self._add(frame)
                on_frame(self._written)
        except BadMedia:
            if not self._written:
                raise
        if not self._written:
            raise NoFrames("not one frame of the video could be drawn")
        return self._written

    def _add(self, frame: Frame) -> None:
        """A frame at the very time of the one before it is left out."""
        pts = int(self._pts[frame.frame_index])
        if self._last_pts is None or pts > self._last_pts:
            self._writer.write(draw(frame.image, self._shown.at(frame.pts_seconds)), pts)
            self._last_pts = pts
            self._written += 1


def _bounds(index: VideoIndex, start_seconds: float, end_seconds: float | None) -> tuple[int, int]:
    """Positions of the first frame and behind the last."""
    seconds = index.frames.seconds()
    start = int(np.searchsorted(seconds, start_seconds, side="left"))
    until = np.inf if end_seconds is None else end_seconds
    stop = int(np.searchsorted(seconds, until, side="left"))
    if start >= stop:
        raise NoFrames("no frame lies in the analysed stretch")
    return start, stop


class _Shown:
    """What is to be drawn as time goes on."""

    def __init__(self, analysed: Iterable[AnalysedFrame]) -> None:
        """Raises NoFrames when nothing was analysed."""
        self._coming: Iterator[AnalysedFrame] = iter(analysed)
        self._next = next(self._coming, None)
        if self._next is None:
            raise NoFrames("no frame of the video was analysed")
        self.start_seconds = self._next.pts_seconds
        self._overlay = Overlay(Detections.empty())

    def at(self, seconds: float) -> Overlay:
        """Of the last analysed frame at or before it; asked in order of time."""
        while self._next is not None and self._next.pts_seconds <= seconds:
            self._overlay = self._next.overlay
            self._next = next(self._coming, None)
        return self._overlay
