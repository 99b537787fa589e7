"""The HTTP border: where every request gets its id, its log line and, at worst, its 500."""

import logging
import time
from typing import Final

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics
from api.problems import internal_error
from api.request_id import HEADER, request_id_of

log = logging.getLogger("vision.api")

LINGER_SECONDS: Final = 2.0
"""How long the rest of a refused body is read and thrown away. Closing at once would reset
the connection, and the client would see a broken pipe instead of the reason."""
CLIENT_LEFT: Final = 499
"""Status in log and metrics when nobody waited for the answer."""
NO_ROUTE: Final = "none"


class Border:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        exchange = _Exchange(receive, send, request_id_of(headers), has_body=_has_body(headers))
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        started = time.monotonic()
        await self._answer(scope, exchange)
        self._record(scope, exchange, seconds=time.monotonic() - started)

    async def _answer(self, scope: Scope, exchange: "_Exchange") -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            exchange.status = CLIENT_LEFT
        except Exception:
            log.exception("request failed", extra={"request_id": exchange.request_id})
            # Once the answer has begun, ending it short is the only way left to say so.
            if exchange.status is None:
                response = internal_error(exchange.request_id)
                await response(scope, exchange.receive, exchange.send)

    def _record(self, scope: Scope, exchange: "_Exchange", *, seconds: float) -> None:
        route = getattr(scope.get("route"), "path_format", NO_ROUTE)
        status = exchange.status or CLIENT_LEFT
        self._metrics.request_ended(scope["method"], route, status=status, seconds=seconds)
        fields = {"method": scope["method"], "route": route, "status": status}
        times = {"seconds": round(seconds, 4), "request_id": exchange.request_id}
        log.info("request", extra=fields | times)


class _Exchange:
    """One request and its answer, watched."""

    def __init__(self, receive: Receive, send: Send, request_id: str, *, has_body: bool) -> None:
        self.request_id = request_id
        self.status: int | None = None
        """Of the answer, once it has begun."""
        self._receive = receive
        self._send = send
        self._body_is_pending = has_body

    async def receive(self) -> Message:
        message = await self._receive()
        if not message.get("more_body", False):
            self._body_is_pending = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begin(message)
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not (is_last and self._body_is_pending):
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        await self._discard_rest_of_body()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _begin(self, message: Message) -> None:
        self.status = message["status"]
        headers = MutableHeaders(scope=message)
        headers[HEADER] = self.request_id
        if self._body_is_pending:
            headers["connection"] = "close"

    async def _discard_rest_of_body(self) -> None:
        with anyio.move_on_after(LINGER_SECONDS):
            while self._body_is_pending:
                await self.receive()


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
