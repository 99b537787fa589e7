"""The decode process: `python -m vision.media.decode_child`, started by DecodeProcess only.

Everything that touches untrusted bytes happens here, behind the walls of sandbox.py. It may
hang or die on any file: the parent kills it, starts another, and goes on.
"""

import mmap
import os
import socket
import sys
import warnings
from functools import partial
from typing import BinaryIO

import numpy as np

from vision.domain.image import ImageSize, RgbImage
from vision.domain.media import MediaFacts
from vision.errors import BadMedia
from vision.media import sandbox
from vision.media.decode_request import OUT_OF_MEMORY, Operation, Request
from vision.media.draw import draw
from vision.media.encode import encode
from vision.media.facts_json import facts_to_json
from vision.media.image_file import decode, read_facts
from vision.media.limits import DecodeLimits
from vision.media.overlay import Overlay
from vision.media.shared_files import mapped
from vision.media.wire import Message, Wire, close_files

_MAX_REQUEST_BODY_BYTES = 1 << 30
_MAPPED_SHARE = 4
"""Buffers kept mapped between requests may take this part of the limit on memory."""
_MAP_STEP_BYTES = 16 << 20


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
        while self._maps and sum(map(len, self._maps.values())) > self._max_bytes:
            del self._maps[next(iter(self._maps))]


class DecodeChild:
    """Answers requests one by one until the parent goes."""

    def __init__(self, wire: Wire, limits: DecodeLimits) -> None:
        self._wire, self._limits = wire, limits
        self._buffers = MappedBuffers(limits.memory_bytes // _MAPPED_SHARE)

    def serve(self) -> None:
        self._wire.send(Message({"ready": True}))
        while True:
            try:
                message = self._wire.receive()
            except (EOFError, ConnectionError):
                return
            sandbox.allow_processor_seconds(self._limits.seconds)
            self._wire.send(self._answer(message))

    def _answer(self, message: Message) -> Message:
        request = Request.from_json(message.header)
        self._buffers.forget(request.forgotten)
        try:
            with open(message.files[0], "rb", closefd=False) as file:
                return self._perform(file, request, message)
        except BadMedia as error:
            return Message({"code": error.code, "detail": str(error)})
        except MemoryError:
            return Message({"code": OUT_OF_MEMORY})
        finally:
            close_files(message.files)

    def _perform(self, file: BinaryIO, request: Request, message: Message) -> Message:
        max_pixels = self._limits.max_pixels
        if request.operation is Operation.PROBE:
            return _facts_only(read_facts(file, max_pixels=max_pixels))
        if request.operation is Operation.DECODE:
            shared = partial(self._buffers.pixels, request.buffer_id, message.files[1])
            return _facts_only(decode(file, shared, max_pixels=max_pixels).facts)
        image = decode(file, _private_memory, max_pixels=max_pixels).image
        drawn = draw(image, Overlay.from_json(message.body))
        return Message({}, encode(drawn, request.media_type))


def _facts_only(facts: MediaFacts) -> Message:
    return Message({"facts": facts_to_json(facts)})


def _private_memory(size: ImageSize) -> RgbImage:
    return np.empty((size.height, size.width, 3), np.uint8)


def main(socket_file: int, parent_pid: int, limits: DecodeLimits) -> None:
    sandbox.die_with_parent(parent_pid)
    # Pillow warns about pictures that we have already decided about.
    warnings.simplefilter("ignore")
    sandbox.enter(limits.memory_bytes)
    wire = Wire(socket.socket(fileno=socket_file), max_body_bytes=_MAX_REQUEST_BODY_BYTES)
    DecodeChild(wire, limits).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), DecodeLimits.from_json(sys.argv[3]))
