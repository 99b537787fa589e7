"""`Prefer: wait=N` (RFC 7240): hold the answer until a job has ended, without holding a thread."""

import re
import time
from collections.abc import Callable
from typing import Final

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from vision.domain.job import Job

LONGEST_SECONDS: Final = 60
_FIRST_PAUSE_SECONDS: Final = 0.005
_LONGEST_PAUSE_SECONDS: Final = 0.25
_GROWTH: Final = 1.25
"""A quick job is answered at once, a slow one asks the database four times a second."""
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)


def preferred_seconds(prefer: str | None) -> int | None:
    """From the Prefer header, at most LONGEST_SECONDS; None where it says nothing of waiting."""
    match = _WAIT.search(prefer or "")
    return min(int(match.group(1)), LONGEST_SECONDS) if match else None


async def wait_for_end(request: Request, ask: Callable[[], Job], *, seconds: float) -> Job:
    """The job when it has ended, when the time is over, or when nobody waits any more."""
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE_SECONDS
    job = await run_in_threadpool(ask)
    while not job.state.is_final and (left := deadline - time.monotonic()) > 0:
        await anyio.sleep(min(pause, left))
        if await request.is_disconnected():
            break
        pause = min(pause * _GROWTH, _LONGEST_PAUSE_SECONDS)
        job = await run_in_threadpool(ask)
    return job
