"""The frames of a chunk, also when the decode process is killed in the middle."""

import logging
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from vision.domain.video import Chunk, Frame
from vision.engine.station import OnBeat, VideoReader
from vision.errors import DecoderCrashed

log = logging.getLogger(__name__)


class FrameReading:
    """One pass over a chunk, every frame once. A context manager: it keeps the decoder meanwhile.

    A process may die of other things than the file, such as the kernel's want of memory: then a
    new one reads what hadn't come yet, and nothing of that shows in the result. When that one
    dies too, iterating raises DecoderCrashed; other kinds of BadMedia at once.
    """

    def __init__(
        self, reader: VideoReader, source: Path | bytes, chunk: Chunk, *, on_beat: OnBeat
    ) -> None:
        """`on_beat` is called at every frame, and about every second while one is waited for."""
        self._reader, self._source, self._chunk = reader, source, chunk
        self._on_beat = on_beat
        self._last_index = -1
        self._frames = self._twice()
        self.damage: str | None = None
        """Of the file; known at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._frames.close()

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def _twice(self) -> Generator[Frame, None, None]:
        try:
            yield from self._once()
        except DecoderCrashed as error:
            log.warning("reading again", extra={"error": str(error), "frame": self._last_index})
            yield from self._once()

    def _once(self) -> Generator[Frame, None, None]:
        """Without those that came before."""
        with self._reader.frames(self._source, self._chunk, on_beat=self._on_beat) as frames:
            for frame in frames:
                self._on_beat()
                if frame.frame_index > self._last_index:
                    self._last_index = frame.frame_index
                    yield frame
            self.damage = frames.end.damage
