"""The parent's pixel buffers, as the decode process sees them."""

import mmap
import os

import numpy as np

from vision.domain.image import ImageSize, RgbImage
from vision.media.shared_files import mapped

_MAP_STEP_BYTES = 16 << 20
_MAX_MAPS = 192
"""Each holds a descriptor, of which the sandbox allows few more."""


class MappedBuffers:
    """The parent's buffers, mapped once as long as they come again."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._maps: dict[int, mmap.mmap] = {}

    def pixels(self, buffer_id: int, file: int, size: ImageSize) -> RgbImage:
        """The buffer's beginning, as memory for a picture of that size."""
        needed = size.pixels * 3
        memory = self._maps.pop(buffer_id, None)
        if memory is None or len(memory) < needed:
            steps = -(-needed // _MAP_STEP_BYTES)
            length = min(steps * _MAP_STEP_BYTES, os.fstat(file).st_size)
            memory = mapped(file, length, is_writable=True)
        self._maps[buffer_id] = memory
        return np.frombuffer(memory, np.uint8, needed).reshape(size.height, size.width, 3)

    def forget(self, ids: tuple[int, ...]) -> None:
        """Drops these, and the oldest of the others above the limit."""
        for buffer_id in ids:
            self._maps.pop(buffer_id, None)
        while len(self._maps) > _MAX_MAPS or sum(map(len, self._maps.values())) > self._max_bytes:
            del self._maps[next(iter(self._maps))]
