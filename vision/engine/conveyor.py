"""Decoded images on their way from the decode threads to the networks: bounded, in order."""

import threading
from collections import deque
from dataclasses import dataclass

from vision.domain.image import RgbImage
from vision.domain.job import Lease, WorkItem
from vision.domain.media import MediaFacts

MAX_BYTES = 512 * 1024 * 1024
"""Of decoded pixels that wait; one image more than that may always wait."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedItem:
    """One image of a claimed unit, ready for the networks."""

    lease: Lease
    item: WorkItem
    image: RgbImage
    facts: MediaFacts


class Conveyor:
    """A place is reserved before decoding starts, so that the bound holds with many decoders."""

    def __init__(self, max_images: int, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_images = max_images
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._waiting: deque[DecodedItem] = deque()
        self._reserved = 0
        self._bytes = 0
        self._is_closed = False

    def reserve(self) -> bool:
        """A place for one image, waiting for it; False when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._has_room())
            if self._is_closed:
                return False
            self._reserved += 1
            return True

    def forgo(self) -> None:
        """The reserved place isn't needed: the image couldn't be decoded, or nobody wants it."""
        with self._changed:
            self._reserved -= 1
            self._changed.notify_all()

    def put(self, decoded: DecodedItem) -> None:
        """Onto the reserved place."""
        with self._changed:
            self._reserved -= 1
            self._bytes += decoded.image.nbytes
            self._waiting.append(decoded)
            self._changed.notify_all()

    def take(self, max_images: int) -> list[DecodedItem]:
        """What waits, of one pipeline, waiting for the first only; empty once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            taken: list[DecodedItem] = []
            while self._waiting and len(taken) < max_images and self._fits(taken):
                taken.append(self._waiting.popleft())
            self._bytes -= sum(decoded.image.nbytes for decoded in taken)
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Nothing is put any more; what waits can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        images = self._reserved + len(self._waiting)
        return images < self._max_images and self._bytes < self._max_bytes

    def _fits(self, taken: list[DecodedItem]) -> bool:
        next_sha256 = self._waiting[0].lease.pipeline_sha256
        return not taken or taken[0].lease.pipeline_sha256 == next_sha256
