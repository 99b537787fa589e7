"""A request's body, read as it arrives, with a limit on its size and on the client's patience."""

import asyncio
import time
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from vision.errors import BodyTooLarge

IDLE_SECONDS: Final = 30.0
"""How long nothing may arrive."""
SLOWEST_BYTES_PER_SECOND: Final = 1024
"""On average, after the first IDLE_SECONDS: one byte now and then doesn't keep a socket."""


class Body:
    """Reads once, in order. Uvicorn itself waits for ever for the next byte."""

    def __init__(self, request: Request, *, max_bytes: int) -> None:
        """Raises BodyTooLarge when the client itself announces more than `max_bytes`."""
        self._stream = request.stream()
        self._max_bytes = max_bytes
        self._received = 0
        self._started = time.monotonic()
        self._require_fits(_declared_bytes(request))

    async def read(self) -> bytes:
        """The next piece; empty at the end. Raises BodyTooLarge, ClientDisconnect, and
        HTTPException 408 for a client that is too slow."""
        try:
            async with asyncio.timeout(self._patience_seconds()):
                piece = await anext(self._stream, b"")
        except TimeoutError as error:
            raise HTTPException(408, "the body arrived too slowly") from error
        self._received += len(piece)
        self._require_fits(self._received)
        return piece

    async def read_all(self) -> bytes:
        """The whole body in memory: only with a small `max_bytes`."""
        whole = bytearray()
        while piece := await self.read():
            whole += piece
        return bytes(whole)

    def _patience_seconds(self) -> float:
        earned = IDLE_SECONDS + self._received / SLOWEST_BYTES_PER_SECOND
        return min(IDLE_SECONDS, self._started + earned - time.monotonic())

    def _require_fits(self, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            raise BodyTooLarge(f"the body is larger than the limit of {self._max_bytes} bytes")


def _declared_bytes(request: Request) -> int:
    declared = request.headers.get("content-length", "0")
    return int(declared) if declared.isdecimal() else 0
