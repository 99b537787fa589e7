"""Decoded pictures on their way from the decode threads to the networks: bounded, in order."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from vision.domain.image import RgbImage
from vision.domain.job import Lease, WorkItem
from vision.domain.media import MediaFacts
from vision.domain.video import Chunk, Frame

MAX_BYTES = 512 * 1024 * 1024
"""Of decoded pixels that wait; what was just reserved may come on top of that."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedItem:
    """One image of a claimed unit, ready for the networks."""

    lease: Lease
    item: WorkItem
    image: RgbImage
    facts: MediaFacts

    @property
    def images(self) -> tuple[RgbImage, ...]:
        return (self.image,)


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrames:
    """Frames of one chunk, for one pass through the networks.

    Which frames share a pass is decided by the chunk alone: on a GPU a picture's result depends
    in its last bits on the number of pictures beside it, and must not depend on who was quicker.
    """

    lease: Lease
    frames: tuple[Frame, ...]

    @property
    def images(self) -> tuple[RgbImage, ...]:
        return tuple(frame.image for frame in self.frames)


@dataclass(frozen=True, slots=True, eq=False)
class ChunkBegun:
    """Frames of this chunk come next, if there are any."""

    lease: Lease
    chunk: Chunk
    state: bytes | None
    """What the chunk before it in its chain left."""

    @property
    def images(self) -> tuple[RgbImage, ...]:
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class ChunkRead:
    """All frames of this chunk came."""

    lease: Lease
    frames: int
    """Not counting a lead."""
    damage: str | None
    """For people; None when every wanted frame could be had."""

    @property
    def images(self) -> tuple[RgbImage, ...]:
        return ()


OfChunk: TypeAlias = ChunkBegun | DecodedFrames | ChunkRead
Decoded: TypeAlias = DecodedItem | OfChunk


class Conveyor:
    """A place is reserved for each picture, so that the bound holds with many decoders."""

    def __init__(self, max_images: int, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_images = max_images
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._waiting: deque[Decoded] = deque()
        self._images = 0
        """Waiting, and reserved."""
        self._bytes = 0
        self._is_closed = False

    def reserve(self) -> bool:
        """A place for one picture, waiting for it; False when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._has_room())
            if self._is_closed:
                return False
            self._images += 1
            return True

    def forgo(self, places: int = 1) -> None:
        """They aren't needed: the picture couldn't be decoded, or nobody wants it."""
        with self._changed:
            self._images -= places
            self._changed.notify_all()

    def put(self, decoded: Decoded) -> None:
        """Onto the reserved places, one for each picture; what has none needs none."""
        with self._changed:
            self._bytes += _bytes(decoded)
            self._waiting.append(decoded)
            self._changed.notify_all()

    def take(self, max_images: int) -> list[Decoded]:
        """For one pass, of one pipeline, waiting for the first only; empty once closed and empty.

        Up to `max_images` images, or one thing of a chunk.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            taken: list[Decoded] = []
            while self._waiting and len(taken) < max_images and self._fits(taken):
                taken.append(self._waiting.popleft())
            self._images -= sum(len(decoded.images) for decoded in taken)
            self._bytes -= sum(_bytes(decoded) for decoded in taken)
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Nothing is put any more; what waits can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._images < self._max_images and self._bytes < self._max_bytes

    def _fits(self, taken: list[Decoded]) -> bool:
        if not taken:
            return True
        if not all(isinstance(decoded, DecodedItem) for decoded in (taken[0], self._waiting[0])):
            return False
        return taken[0].lease.pipeline_sha256 == self._waiting[0].lease.pipeline_sha256


def _bytes(decoded: Decoded) -> int:
    return sum(image.nbytes for image in decoded.images)
