"""Bytes of other people on their way out: never shown by a browser, always under a safe name."""

from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from typing import Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool

SAFE_HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def attachment(filename: str) -> dict[str, str]:
    """Content-Disposition by RFC 6266: nothing in the name can end the header or leave a folder."""
    last = filename.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in last)
    value = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(last, safe='')}"
    return {"Content-Disposition": value}


def streamed(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces for a streaming answer, each made in a thread, ended when the client leaves.

    The first one is made here: what fails at once becomes an error answer, not half a file.
    """
    return _in_threads(next(pieces, b""), pieces)


async def _in_threads(first: bytes, rest: Iterator[bytes]) -> AsyncIterator[bytes]:
    try:
        yield first
        while (piece := await run_in_threadpool(next, rest, None)) is not None:
            yield piece
    finally:
        if isinstance(rest, Generator):
            rest.close()
