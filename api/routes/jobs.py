"""Jobs: looked at, stopped, tried again, erased."""

import time
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.job_answer import POLL_SECONDS
from api.schemas.base import PageAnswer
from api.schemas.jobs import JobAnswer, JobsQuestion
from api.services import Given, Tenant

router = APIRouter(prefix="/v1", tags=["jobs"])


@router.get("/jobs")
def list_jobs(
    services: Given, tenant: Tenant, question: Annotated[JobsQuestion, Query()]
) -> PageAnswer[JobAnswer]:
    """Newest first."""
    page = services.engine.jobs.page(
        tenant,
        limit=question.limit,
        cursor=question.cursor,
        state=question.state,
        tag=question.tag,
    )
    now = time.time()
    return PageAnswer(
        items=tuple(JobAnswer.of(each, now=now) for each in page.items), next=page.next
    )


@router.get("/jobs/{job_id:uuid}")
def get_job(job_id: UUID, response: Response, services: Given, tenant: Tenant) -> JobAnswer:
    """How it stands. Retry-After says when to ask again, while that makes sense."""
    job = services.engine.jobs.get(job_id, tenant)
    if not job.state.is_final:
        response.headers["Retry-After"] = str(POLL_SECONDS)
    return JobAnswer.of(job, now=time.time())


@router.post("/jobs/{job_id:uuid}/cancel")
def cancel_job(job_id: UUID, services: Given, tenant: Tenant) -> JobAnswer:
    """Stop it: results that are stored stay, none are added. A finished job stays as it is."""
    return JobAnswer.of(services.engine.jobs.cancel(job_id, tenant), now=time.time())


@router.post("/jobs/{job_id:uuid}/retry", status_code=202)
def retry_job(job_id: UUID, services: Given, tenant: Tenant) -> JobAnswer:
    """Run its failed and quarantined parts again, nothing else. 409 where there are none."""
    job = services.engine.jobs.retry(job_id, tenant)
    services.ring_for(job)
    return JobAnswer.of(job, now=time.time())


@router.delete("/jobs/{job_id:uuid}", status_code=204)
def delete_job(job_id: UUID, services: Given, tenant: Tenant) -> None:
    """Erase it with its results; a running one stops. Assets stay."""
    services.engine.jobs.delete(job_id, tenant)
