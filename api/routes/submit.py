"""Jobs: in. Durable before the answer, and never a second one for the same key."""

import time
from contextlib import AsyncExitStack
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from starlette.concurrency import run_in_threadpool

from api import openapi
from api.job_form import Submission, read_submission
from api.routes.assets import keep
from api.schemas.jobs import JobAnswer, JobQuestion
from api.services import Given, Services, Tenant
from api.waiting import preferred_seconds, wait_for_end
from vision.domain.job import Job
from vision.engine.submit import JobRequest
from vision.errors import BadMedia, FieldError, InvalidPipeline

router = APIRouter(prefix="/v1", tags=["jobs"])

POLL_SECONDS: Final = 1
"""What a client is told to wait before it asks again."""
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="With the same key and request, the same job comes back; with another "
        "request, 422.",
    ),
]
Prefer = Annotated[
    str | None,
    Header(description="`wait=N`: answer when the job ends, after N (at most 60) s if not before."),
]


@router.post(
    "/jobs",
    status_code=202,
    response_model=JobAnswer,
    responses={200: {"model": JobAnswer, "description": "The job has ended already."}},
    openapi_extra=openapi.job_submission(),
)
async def submit(
    request: Request,
    response: Response,
    services: Given,
    tenant: Tenant,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> JobAnswer:
    """Run a pipeline over stored assets (JSON) or over files that come along (a form).

    202 with the job's address; 200 when it has ended already. Once answered, a job is never lost.
    """
    async with AsyncExitStack() as stack:
        submission = await read_submission(request, stack, services)
        job = await run_in_threadpool(
            _submitted, services, submission, tenant=tenant, idempotency_key=idempotency_key
        )
    seconds = preferred_seconds(prefer)
    if seconds is not None:
        response.headers["Preference-Applied"] = f"wait={seconds}"
        job = await _ended(request, services, job, seconds=seconds)
    return _answer(job, response)


def _answer(job: Job, response: Response) -> JobAnswer:
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    if job.state.is_final:
        response.status_code = 200
    else:
        response.headers["Retry-After"] = str(POLL_SECONDS)
    return JobAnswer.of(job, now=time.time())


async def _ended(request: Request, services: Services, job: Job, *, seconds: int) -> Job:
    jobs = services.engine.jobs
    return await wait_for_end(request, lambda: jobs.get(job.id, job.tenant), seconds=seconds)


def _submitted(
    services: Services, submission: Submission, *, tenant: str, idempotency_key: str | None
) -> Job:
    question = submission.question
    # First, so that a wrong pipeline costs no decoding and leaves no assets.
    _require_runnable(services, question.pipeline)
    if isinstance(question, JobQuestion):
        asset_ids = question.asset_ids
    else:
        asset_ids = _kept(services, submission, tenant=tenant)
    job, is_new = services.engine.submissions.submit(
        JobRequest(
            asset_ids=asset_ids,
            pipeline=question.pipeline,
            tenant=tenant,
            priority=question.priority,
            tags=question.tags,
            webhook=None if question.webhook is None else str(question.webhook),
            idempotency_key=idempotency_key,
        )
    )
    if is_new:
        services.ring_for(job)
    return job


def _require_runnable(services: Services, pipeline: object) -> None:
    try:
        services.engine.submissions.checked_pipeline(pipeline)
    except InvalidPipeline as error:
        fields = error.errors or (FieldError("pipeline", str(error)),)
        raise InvalidPipeline(str(error), fields) from error


def _kept(services: Services, submission: Submission, *, tenant: str) -> tuple[UUID, ...]:
    """The assets of the files, in order; equal files are one asset and so one item."""
    asset_ids: dict[UUID, None] = {}
    for index, received in enumerate(submission.files):
        try:
            asset, _ = keep(services, received, tenant=tenant, tags=())
        except BadMedia as error:
            raise type(error)(f"files[{index}], {received.filename!r}: {error}") from error
        asset_ids[asset.id] = None
    return tuple(asset_ids)
