"""Decode processes for the API: a picture that takes its time must not hold up all others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import LifoQueue
from typing import Final

from vision.domain.media import MediaFacts
from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits
from vision.media.overlay import Overlay

POOL_SIZE: Final = 4


class DecoderPool:
    """Thread-safe. Each process starts at its first use; the one used last is taken first, so
    that a quiet service keeps one."""

    def __init__(self, limits: DecodeLimits, *, size: int = POOL_SIZE) -> None:
        self._all = tuple(DecodeProcess(limits) for _ in range(size))
        self._free: LifoQueue[DecodeProcess] = LifoQueue()
        for decoder in self._all:
            self._free.put(decoder)

    def probe(self, source: Path | bytes) -> MediaFacts:
        """As `DecodeProcess.probe`."""
        with self._borrowed() as decoder:
            return decoder.probe(source)

    def annotate(
        self,
        fetch: Callable[[], Path | bytes],
        overlay: Overlay,
        *,
        media_type: str,
        at_seconds: float | None = None,
    ) -> bytes:
        """As `DecodeProcess.annotate`; the source is fetched when a process is free."""
        with self._borrowed() as decoder:
            return decoder.annotate(fetch(), overlay, media_type, at_seconds=at_seconds)

    def close(self) -> None:
        """Ends the processes; not while one is in use."""
        for decoder in self._all:
            decoder.close()

    @contextmanager
    def _borrowed(self) -> Iterator[DecodeProcess]:
        decoder = self._free.get()
        try:
            yield decoder
        finally:
            self._free.put(decoder)
