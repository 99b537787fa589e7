"""Files on their way out: a safe name, and what comes from other people is never shown."""

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool

NO_SNIFFING: Final[dict[str, str]] = {"X-Content-Type-Options": "nosniff"}
"""Enough for files that we made ourselves."""
SAFE_HEADERS: Final[dict[str, str]] = {
    **NO_SNIFFING,
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def attachment(filename: str) -> dict[str, str]:
    """To be saved, whatever the browser could do with it."""
    return _disposition("attachment", filename)


def inline(filename: str) -> dict[str, str]:
    """To be shown; the name is for saving it."""
    return _disposition("inline", filename)


def _disposition(kind: str, filename: str) -> dict[str, str]:
    """Content-Disposition by RFC 6266: nothing in the name can end the header or leave a folder."""
    last = filename.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in last)
    value = f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(last, safe='')}"
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
