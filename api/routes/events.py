"""A job while it runs, as server-sent events; polling it is the equal of this."""

import logging
from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

import anyio
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.news import Heard, news
from api.patience import ENDLESS
from api.services import Given, Services, Tenant
from vision.domain.job import Job
from vision.errors import NotFound, TemporaryError

router = APIRouter(prefix="/v1", tags=["jobs"])
log = logging.getLogger("vision.api")

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 1.0
_GROWTH: Final = 1.5
"""While a job moves it is looked at often, while it waits once a second."""
AWAY_SECONDS: Final = 5.0
"""Pause while the database doesn't answer."""
LastEventId = Annotated[
    str | None,
    Header(max_length=100, description="Id of the last event that was received."),
]


async def _heard(
    job_id: UUID,
    request: Request,
    response: Response,
    services: Given,
    tenant: Tenant,
    last_event_id: LastEventId = None,
) -> Heard:
    """Before the stream begins: here an unknown job can still be an error answer."""
    heard = Heard.from_id(last_event_id)
    job = await services.sightings.now(job_id, tenant)
    setattr(request.state, ENDLESS, True)
    response.headers["Cache-Control"] = "no-store"
    if job.state.is_final and not any(news(job, heard)):
        # By the standard the answer after which an EventSource doesn't come back.
        response.status_code = 204
    return heard


@router.get(
    "/jobs/{job_id:uuid}/events",
    response_class=EventSourceResponse,
    responses={
        200: {"description": "Events `progress` with a Progress, and `state` with a JobAnswer."},
        204: {"description": "The job has ended, and the client knows it."},
    },
)
async def watch_job(
    job_id: UUID, services: Given, tenant: Tenant, heard: Annotated[Heard, Depends(_heard)]
) -> AsyncIterator[ServerSentEvent]:
    """`progress` (the job's progress) and `state` (the job) whenever they change; the stream ends
    after the final state. With `Last-Event-ID` only what changed since; 204 when nothing can."""
    pause = FIRST_PAUSE_SECONDS
    while (job := await _seen(services, job_id, tenant)) is not None:
        pause = min(pause * _GROWTH, LONGEST_PAUSE_SECONDS)
        for event, known in news(job, heard):
            yield event
            heard, pause = known, FIRST_PAUSE_SECONDS
        if job.state.is_final:
            return
        await anyio.sleep(pause)


async def _seen(services: Services, job_id: UUID, tenant: str) -> Job | None:
    """None when it was deleted. Waits while the database is away."""
    while True:
        try:
            return await services.sightings.recently(job_id, tenant)
        except NotFound:
            return None
        except TemporaryError as error:
            log.warning("watched job not seen", extra={"job_id": job_id, "error": str(error)})
            await anyio.sleep(AWAY_SECONDS)
