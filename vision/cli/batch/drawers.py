"""A few decode processes that draw at the same time."""

import os
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from vision.errors import CorruptMedia
from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits
from vision.media.overlay import Overlay

MAX_DRAWERS = 4


class Drawers:
    """A context manager; the processes start with the first pictures."""

    def __init__(self, limits: DecodeLimits) -> None:
        self._exits = ExitStack()
        self._free: SimpleQueue[DecodeProcess] = SimpleQueue()
        for _ in range(min(MAX_DRAWERS, os.cpu_count() or 1)):
            self._free.put(self._exits.enter_context(DecodeProcess(limits)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exits.close()

    def draw(self, path: Path, overlay: Overlay) -> bytes:
        """The annotated picture as a JPEG file. Raises the kinds of BadMedia."""
        decoder = self._free.get()
        try:
            return decoder.annotate(path, overlay)
        except OSError as error:
            raise CorruptMedia(f"the file can't be read: {error.strerror}") from error
        finally:
            self._free.put(decoder)
