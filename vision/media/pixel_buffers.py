"""Shared memory that the decode process writes pixels into, lent out as arrays and reused.

A fresh page costs the kernel about as much as decoding the pixels on it (docs/benchmarks.md),
so memory whose array nobody holds any more is kept for the next picture.
"""

import mmap
import os
import weakref
from collections import deque
from dataclasses import dataclass
from itertools import count

import numpy as np

from vision.domain.image import ImageSize, RgbImage
from vision.media.shared_files import anonymous_file, mapped

MAX_KEPT_BYTES = 256 << 20
"""Touched memory that waits for its next use."""
_BLOCK_BYTES = 512
_IDS = count(1)


@dataclass(slots=True, eq=False, weakref_slot=True)
class PixelBuffer:
    """One mapping as large as the largest picture allowed; untouched pages cost nothing.

    It unmaps and closes itself when nobody refers to it any more.
    """

    id: int
    """Never used again in this process."""
    file: int
    memory: mmap.mmap

    @property
    def touched_bytes(self) -> int:
        """What the largest picture in it has left in use."""
        return os.fstat(self.file).st_blocks * _BLOCK_BYTES

    @classmethod
    def of(cls, size_bytes: int) -> "PixelBuffer":
        file = anonymous_file(size_bytes)
        buffer = cls(next(_IDS), file, mapped(file, size_bytes, is_writable=True))
        weakref.finalize(buffer, os.close, file)
        return buffer


class PixelBuffers:
    """Lends buffers; belongs to one decode process and to one process that reads."""

    def __init__(self, buffer_bytes: int) -> None:
        self._buffer_bytes = buffer_bytes
        self._returned: deque[PixelBuffer] = deque()
        """Filled by finalizers, which run anywhere: appending needs no lock."""
        self._free: deque[PixelBuffer] = deque()
        self._dropped: list[int] = []

    def take(self) -> PixelBuffer:
        """A buffer that nobody reads. Hand it to `image` or to `give_back`."""
        self._collect()
        return self._free.pop() if self._free else PixelBuffer.of(self._buffer_bytes)

    def image(self, buffer: PixelBuffer, size: ImageSize) -> RgbImage:
        """The buffer's beginning as pixels, without a copy.

        The buffer comes back by itself when the last view of the array is gone.
        """
        flat = np.frombuffer(buffer.memory, np.uint8, size.pixels * 3)
        # numpy lets every view hold on to this first array, so its end is the end of all.
        weakref.finalize(flat, self._returned.append, buffer).atexit = False
        return flat.reshape(size.height, size.width, 3)

    def give_back(self, buffer: PixelBuffer) -> None:
        """There is no picture in it after all."""
        self._returned.append(buffer)

    def forgotten(self) -> list[int]:
        """Ids dropped since the last call: the decode process may let them go as well."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def _collect(self) -> None:
        while self._returned:
            self._free.append(self._returned.popleft())
        while sum(buffer.touched_bytes for buffer in self._free) > MAX_KEPT_BYTES:
            self._dropped.append(self._free.popleft().id)
