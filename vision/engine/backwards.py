"""The frames of a chunk from the last to the first, without holding all of them at once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from vision.domain.video import Chunk, Frame
from vision.engine.station import OnBeat, VideoReader
from vision.engine.video_reading import FrameReading

BLOCK_BYTES = 128 * 1024 * 1024
"""Of frames that are held. Each block is decoded from the keyframe before it, so that small blocks
decode much of a group of pictures again and again."""
FIRST_BLOCK = 8
"""Frames, while their size isn't known."""
MIN_BLOCK, MAX_BLOCK = 4, 256


class BackwardReading:
    """As `FrameReading`: decoded forwards in blocks, the last block first."""

    def __init__(
        self, reader: VideoReader, source: Path | bytes, chunk: Chunk, *, on_beat: OnBeat
    ) -> None:
        """The chunk lists its frames."""
        assert chunk.wanted is not None, "chunks that go back in time list their frames"
        self._reader, self._source, self._chunk = reader, source, chunk
        self._on_beat = on_beat
        self._wanted = chunk.wanted
        self._block = FIRST_BLOCK
        self._damages: list[str] = []

    @property
    def damage(self) -> str | None:
        """Of the file; known at the end. In order of time, the first that was met in it."""
        return self._damages[-1] if self._damages else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is open between two blocks."""

    def __iter__(self) -> Iterator[Frame]:
        stop = len(self._wanted)
        while stop > 0:
            start = max(0, stop - self._block)
            yield from self._backwards(start, stop)
            stop = start

    def _backwards(self, start: int, stop: int) -> Iterator[Frame]:
        wanted = self._wanted[start:stop]
        block = replace(self._chunk, wanted=wanted, frames=len(wanted))
        with FrameReading(self._reader, self._source, block, on_beat=self._on_beat) as reading:
            frames = list(reading)
        if reading.damage is not None:
            self._damages.append(reading.damage)
        if frames:
            fitting = BLOCK_BYTES // frames[0].image.nbytes
            self._block = min(max(fitting, MIN_BLOCK), MAX_BLOCK)
        while frames:
            yield frames.pop()
