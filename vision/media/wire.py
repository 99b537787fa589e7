"""What travels between the service and its decode process: JSON, raw bytes and open files.

Never pickle: the other side may be in the hands of whoever made the picture.
"""

import json
import os
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

_FRAME = struct.Struct(">IQ")
"""Bytes of the JSON header, bytes of the body."""
_MAX_HEADER_BYTES = 1 << 16
_MAX_FILES = 4


@dataclass(frozen=True, slots=True)
class Message:
    """One request or one answer."""

    header: Mapping[str, object]
    body: bytes = b""
    files: tuple[int, ...] = ()
    """Open descriptors; the receiver closes its own copies."""


class Wire:
    """One end of the socket pair. Any call may raise ConnectionError, EOFError, TimeoutError."""

    def __init__(self, socket: socket.socket, *, max_body_bytes: int) -> None:
        """Takes the socket over. `max_body_bytes` is what the other side may send at once."""
        self._socket = socket
        self._max_body_bytes = max_body_bytes
        self._deadline = float("inf")

    def set_deadline(self, seconds: float) -> None:
        """From now on, all sending and receiving together may take so long."""
        self._deadline = time.monotonic() + seconds

    def close(self) -> None:
        self._socket.close()

    def send(self, message: Message) -> None:
        """The files stay open here."""
        header = json.dumps(message.header, separators=(",", ":")).encode()
        frame = _FRAME.pack(len(header), len(message.body)) + header
        self._wait()
        sent = socket.send_fds(self._socket, [frame], message.files)
        for rest in (frame[sent:], message.body):
            self._wait()
            self._socket.sendall(rest)

    def receive(self) -> Message:
        """The next message; EOFError when the other side is gone or talks nonsense."""
        self._wait()
        start, files, _, _ = socket.recv_fds(self._socket, _FRAME.size, _MAX_FILES)
        with ExitStack() as on_failure:
            on_failure.callback(close_files, files)
            message = self._rest_of_message(start, tuple(files))
            on_failure.pop_all()
        return message

    def _rest_of_message(self, start: bytes, files: tuple[int, ...]) -> Message:
        if not start:
            raise EOFError("the other side has closed the connection")
        start += self._exactly(_FRAME.size - len(start))
        header_bytes, body_bytes = _FRAME.unpack(start)
        if header_bytes > _MAX_HEADER_BYTES or body_bytes > self._max_body_bytes:
            raise EOFError("the other side sends more than it may")
        header = _parse(self._exactly(header_bytes))
        return Message(header, bytes(self._exactly(body_bytes)), files)

    def _exactly(self, count: int) -> bytearray:
        received = bytearray(count)
        view = memoryview(received)
        while view:
            self._wait()
            length = self._socket.recv_into(view)
            if not length:
                raise EOFError("the other side has closed the connection")
            view = view[length:]
        return received

    def _wait(self) -> None:
        """Makes the next socket call give up at the deadline."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(None if left == float("inf") else left)


def close_files(files: tuple[int, ...] | list[int]) -> None:
    for file in files:
        os.close(file)


def _parse(header: bytearray) -> dict[str, object]:
    try:
        parsed = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise EOFError("the other side talks nonsense") from error
    if not isinstance(parsed, dict):
        raise EOFError("the other side talks nonsense")
    return parsed
