"""The decode process: `python -m vision.media.decode_child`, started by DecodeProcess only.

Everything that touches untrusted bytes happens here, behind the walls of sandbox.py. It may
hang or die on any file: the parent kills it, starts another, and goes on.
"""

import json
import os
import socket
import sys
import warnings
from functools import partial
from io import BufferedReader

import numpy as np

from vision.domain.image import ImageSize, RgbImage
from vision.domain.media import MediaFacts
from vision.domain.video import Chunk
from vision.errors import BadMedia
from vision.media import sandbox
from vision.media.decode_request import Operation, Request, error_answer
from vision.media.decode_video import VideoAnswers
from vision.media.draw import draw
from vision.media.encode import encode
from vision.media.facts_json import facts_to_json
from vision.media.image_file import decode, read_facts
from vision.media.limits import DecodeLimits
from vision.media.mapped_buffers import MappedBuffers
from vision.media.overlay import Overlay
from vision.media.sniff import SNIFF_BYTES, VIDEO_TYPES, sniff
from vision.media.wire import Message, Wire, close_files

_MAX_REQUEST_BODY_BYTES = 1 << 30
_MAPPED_SHARE = 4
"""Buffers kept mapped between requests may take this part of the limit on memory."""


class DecodeChild:
    """Answers requests one by one until the parent goes."""

    def __init__(self, wire: Wire, limits: DecodeLimits) -> None:
        self._wire, self._limits = wire, limits
        self._buffers = MappedBuffers(limits.memory_bytes // _MAPPED_SHARE)
        self._videos = VideoAnswers(wire, limits, self._buffers)

    def serve(self) -> None:
        self._wire.send(Message({"ready": True}))
        while True:
            try:
                message = self._wire.receive()
                sandbox.allow_processor_seconds(self._limits.seconds)
                self._wire.send(self._answer(message))
            except (EOFError, ConnectionError):
                return

    def _answer(self, message: Message) -> Message:
        request = Request.from_json(message.header)
        self._buffers.forget(request.forgotten)
        try:
            with open(message.files[0], "rb", closefd=False) as file:
                return self._perform(file, request, message)
        except (BadMedia, MemoryError) as error:
            return error_answer(error)
        finally:
            close_files(message.files)

    def _perform(self, file: BufferedReader, request: Request, message: Message) -> Message:
        shared = partial(self._buffers.pixels, request.buffer_id)
        match request.operation:
            case Operation.PROBE:
                return _facts_only(self._facts(file))
            case Operation.DECODE:
                allocate = partial(shared, message.files[1])
                decoded = decode(file, allocate, max_pixels=self._limits.max_pixels)
                return _facts_only(decoded.facts)
            case Operation.STILL:
                allocate = partial(shared, message.files[1])
                return self._videos.still(file.fileno(), request.at_seconds or 0.0, allocate)[1]
            case Operation.INDEX:
                return self._videos.index(file.fileno())
            case Operation.FRAMES:
                chunk = Chunk.from_json(json.loads(message.body))
                return self._videos.serve_frames(file.fileno(), chunk)
        drawn = draw(self._picture(file, request), Overlay.from_json(message.body))
        return Message({}, encode(drawn, request.media_type))

    def _facts(self, file: BufferedReader) -> MediaFacts:
        if sniff(os.pread(file.fileno(), SNIFF_BYTES, 0)) in VIDEO_TYPES:
            return self._videos.facts(file.fileno())
        return read_facts(file, max_pixels=self._limits.max_pixels)

    def _picture(self, file: BufferedReader, request: Request) -> RgbImage:
        if request.at_seconds is None:
            return decode(file, _private_memory, max_pixels=self._limits.max_pixels).image
        return self._videos.still(file.fileno(), request.at_seconds, _private_memory)[0]


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
