"""`Prefer: wait=N` (RFC 7240): hold the answer until something has ended, without holding a
thread."""

import re
import time
from collections.abc import Callable
from typing import Annotated, Final, TypeVar

import anyio
from fastapi import Header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

LONGEST_SECONDS: Final = 60
_FIRST_PAUSE_SECONDS: Final = 0.005
_LONGEST_PAUSE_SECONDS: Final = 0.25
_GROWTH: Final = 1.25
"""A quick job is answered at once, a slow one asks the database four times a second."""
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)

Prefer = Annotated[
    str | None,
    Header(description="`wait=N`: answer when it ends, after N (at most 60) s if not before."),
]
Thing = TypeVar("Thing")


def preferred_seconds(prefer: str | None) -> int | None:
    """From the Prefer header, at most LONGEST_SECONDS; None where it says nothing of waiting."""
    match = _WAIT.search(prefer or "")
    return min(int(match.group(1)), LONGEST_SECONDS) if match else None


def applied(seconds: int) -> dict[str, str]:
    """The header that says that the wish was heard."""
    return {"Preference-Applied": f"wait={seconds}"}


async def wait_until(
    request: Request,
    ask: Callable[[], Thing],
    *,
    is_over: Callable[[Thing], bool],
    seconds: float,
) -> Thing:
    """What `ask` gives when it is over, when the time is, or when nobody waits any more."""
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE_SECONDS
    found = await run_in_threadpool(ask)
    while not is_over(found) and (left := deadline - time.monotonic()) > 0:
        await anyio.sleep(min(pause, left))
        if await request.is_disconnected():
            break
        pause = min(pause * _GROWTH, _LONGEST_PAUSE_SECONDS)
        found = await run_in_threadpool(ask)
    return found
