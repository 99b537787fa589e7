"""Jobs as they stood a moment ago: many who watch one job ask the database together."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from vision.domain.job import Job

FRESH_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class _Look:
    job: "asyncio.Task[Job]"
    at: float = field(default_factory=time.monotonic)

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.at < FRESH_SECONDS


class Sightings:
    """Of one process; belongs to its event loop. What isn't fresh is dropped at the next look."""

    def __init__(self, ask: Callable[[UUID, str], Job]) -> None:
        self._ask = ask
        self._looks: dict[tuple[UUID, str], _Look] = {}

    async def now(self, job_id: UUID, tenant: str) -> Job:
        """As it stands, for one who comes: what was before may be the end of an earlier run.

        Raises like the `ask` it was made with.
        """
        self._looks = {key: kept for key, kept in self._looks.items() if kept.is_fresh}
        look = _Look(asyncio.ensure_future(run_in_threadpool(self._ask, job_id, tenant)))
        self._looks[job_id, tenant] = look
        # Whoever leaves takes nobody else's answer along.
        return await asyncio.shield(look.job)

    async def recently(self, job_id: UUID, tenant: str) -> Job:
        """At most FRESH_SECONDS old, for one who stays. Raises like `now`."""
        look = self._looks.get((job_id, tenant))
        if look is None or not look.is_fresh:
            return await self.now(job_id, tenant)
        return await asyncio.shield(look.job)
