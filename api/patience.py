"""Uvicorn's HTTP protocol, with an end to its patience: `http="api.patience:ImpatientProtocol"`.

Uvicorn itself waits for ever for the rest of a request's head, so that a few hundred idle sockets
keep a few hundred descriptors. Bodies have their own limit in `api/body.py`. And a server that is
told to end would wait for answers that have no end of their own.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS: Final = 20.0
"""From the connection, or from the first byte of a later request, to the end of its headers."""

ENDLESS: Final = "is_endless"
"""In a request's state: its answer goes on for as long as the client listens."""


class ImpatientProtocol(HttpToolsProtocol):
    """Closes a connection whose request doesn't get as far as its body in time."""

    _timer: asyncio.TimerHandle | None = None
    head_seconds = HEAD_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server ends: who only watches is sent away, to come back to the next one."""
        if self.cycle is not None and self.cycle.scope.get("state", {}).get(ENDLESS, False):
            self.transport.close()
            return
        super().shutdown()

    def on_message_begin(self) -> None:
        self._start_timer()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        super().on_headers_complete()

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
