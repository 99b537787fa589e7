"""The REST API seen from the shell."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, BinaryIO, Self
from urllib.parse import urlsplit

import httpx
import orjson
import typer

from vision.cli.problems import ServerRefused, ServerUnreachable
from vision.errors import FieldError, InvalidRequest, TemporaryError

DEFAULT_SERVER = "http://127.0.0.1:8000"
READ_SECONDS = 120.0
"""A server may hash and probe a large upload before it answers."""
CONNECT_SECONDS = 5.0
PAGE_LIMIT = 100
POLL_SECONDS = 0.5
TRIES = 5
"""Of a call that is safe to repeat, with growing pauses: a restart of the API is survived."""
CHUNK_BYTES = 1024 * 1024
ACCEPTED = 202

Query = Mapping[str, str | int | float | None]

ServerOption = Annotated[
    str, typer.Option("--server", envvar="VISION_SERVER", help="Where the API listens.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON for programs.")]


class Client:
    """Calls to one server; closes its connections when left.

    Every call raises ServerUnreachable, or ServerRefused with the server's own sentence.
    """

    def __init__(self, server: str) -> None:
        self.server = server.rstrip("/")
        self._http = httpx.Client(
            base_url=f"{self.server}/v1",
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            # A proxy of the environment can't reach this machine's own loopback.
            trust_env=not _is_loopback(self.server),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, query: Query | None = None) -> Any:
        """The JSON answer; repeated while the server is away for a moment."""
        return self._repeated("GET", path, params=_given(query or {})).json()

    def post(
        self, path: str, document: object = None, *, idempotency_key: str | None = None
    ) -> Any:
        """The JSON answer. Repeated like `get` only with a key that makes repeating harmless."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        send = self._repeated if idempotency_key else self._once
        return send("POST", path, json=document, headers=headers).json()

    def upload(self, file: Path, *, filename: str) -> Any:
        """The asset of this file: the same bytes give the same asset, so repeating is harmless."""
        # Bytes, because HTTP libraries take text headers for ASCII; no control characters.
        name = "".join(letter if letter.isprintable() else "\ufffd" for letter in filename)
        headers = {"X-Filename": name.encode()}
        return self._repeated("POST", "/assets", file=file, headers=headers).json()

    def items(self, path: str, query: Query | None = None) -> Iterator[Any]:
        """Every item of a list, page by page."""
        cursor: str | None = None
        while True:
            page = self.get(path, {"limit": PAGE_LIMIT, **(query or {}), "cursor": cursor})
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def first_items(self, path: str, query: Query, *, limit: int) -> list[Any]:
        """At most `limit` items of a list."""
        page = min(limit, PAGE_LIMIT)
        return list(islice(self.items(path, {**query, "limit": page}), limit))

    def lines(self, path: str, query: Query | None = None) -> Iterator[Any]:
        """Every document of an NDJSON answer, as it arrives."""
        headers = {"Accept": "application/x-ndjson"}
        with self._stream(path, query or {}, headers) as response:
            yield from (orjson.loads(line) for line in response.iter_lines() if line)

    def download(self, path: str, query: Query, file: BinaryIO) -> None:
        """The body of the answer, written to `file` as it arrives."""
        with self._stream(path, query, {}) as response:
            for chunk in response.iter_bytes(CHUNK_BYTES):
                file.write(chunk)

    def download_if_ready(self, path: str, query: Query, file: BinaryIO) -> Any:
        """None when the body was written to `file`; the JSON answer when there is none yet."""
        with self._stream(path, query, {}) as response:
            if response.status_code == ACCEPTED:
                return orjson.loads(response.read())
            for chunk in response.iter_bytes(CHUNK_BYTES):
                file.write(chunk)
        return None

    @contextmanager
    def _stream(
        self, path: str, query: Query, headers: Mapping[str, str]
    ) -> Iterator[httpx.Response]:
        with (
            self._translated(),
            self._http.stream("GET", path, params=_given(query), headers=headers) as response,
        ):
            if response.is_error:
                response.read()
            _require_success(response)
            yield response

    def _repeated(
        self, method: str, path: str, *, file: Path | None = None, **request: Any
    ) -> httpx.Response:
        for attempt in range(1, TRIES):
            try:
                return self._once(method, path, file=file, **request)
            except TemporaryError as error:
                # Never heard of a server there: say so at once instead of after many tries.
                if isinstance(error.__cause__, httpx.ConnectError) and not self._has_answered:
                    raise
                time.sleep(POLL_SECONDS * 2**attempt)
        return self._once(method, path, file=file, **request)

    _has_answered = False

    def _once(
        self, method: str, path: str, *, file: Path | None = None, **request: Any
    ) -> httpx.Response:
        with self._translated():
            if file is None:
                response = self._http.request(method, path, **request)
            else:
                with file.open("rb") as body:
                    response = self._http.request(method, path, content=body, **request)
        self._has_answered = True
        _require_success(response)
        return response

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise InvalidRequest(f"{self.server} is not an http:// or https:// address") from error
        except httpx.ConnectError as error:
            sentence = f"no server answers at {self.server}; start one with `vision up`"
            raise ServerUnreachable(sentence) from error
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise ServerUnreachable(f"{self.server} stopped answering: {reason}") from error


def _is_loopback(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _given(query: Query) -> dict[str, str | int | float]:
    return {name: value for name, value in query.items() if value is not None}


def _require_success(response: httpx.Response) -> None:
    if response.is_success:
        return
    problem = _problem(response)
    detail = str(problem.get("detail") or f"the server answered {response.status_code}")
    if response.status_code in (429, 502, 503, 504) or problem.get("retryable") is True:
        raise ServerUnreachable(detail)
    raise ServerRefused(
        detail,
        status=response.status_code,
        problem_code=str(problem.get("code", "unknown")),
        errors=_field_errors(problem),
    )


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _field_errors(problem: Mapping[str, Any]) -> tuple[FieldError, ...]:
    return tuple(
        FieldError(str(wrong.get("field", "")), str(wrong.get("detail", "")))
        for wrong in problem.get("errors") or ()
    )
