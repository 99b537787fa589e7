"""The answer to whoever asked for work: at once, or when it ends if they prefer to wait."""

import time
from typing import Final

from fastapi import Request, Response

from api.schemas.jobs import JobAnswer
from api.services import Services
from api.waiting import applied, preferred_seconds, wait_until
from vision.domain.job import Job

POLL_SECONDS: Final = 1
"""What a client is told to wait before it asks again."""


async def job_answer(
    request: Request, response: Response, services: Services, *, job: Job, prefer: str | None
) -> JobAnswer:
    """Location always; 200 when the job has ended, else Retry-After and the route's own status."""
    seconds = preferred_seconds(prefer)
    if seconds is not None:
        response.headers.update(applied(seconds))
        jobs = services.engine.jobs
        job = await wait_until(
            request,
            lambda: jobs.get(job.id, job.tenant),
            is_over=lambda found: found.state.is_final,
            seconds=seconds,
        )
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    if job.state.is_final:
        response.status_code = 200
    else:
        response.headers["Retry-After"] = str(POLL_SECONDS)
    return JobAnswer.of(job, now=time.time())
