"""Jobs: in. Durable before the answer, and never a second one for the same key."""

from contextlib import AsyncExitStack
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from starlette.concurrency import run_in_threadpool

from api import openapi
from api.job_answer import job_answer
from api.job_form import Submission, read_submission
from api.routes.assets import keep
from api.schemas.jobs import JobAnswer, JobQuestion
from api.services import Given, Services, Tenant
from api.waiting import Prefer
from vision.domain.job import Job
from vision.engine.submit import JobRequest
from vision.errors import BadMedia, FieldError, InvalidPipeline

router = APIRouter(prefix="/v1", tags=["jobs"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="With the same key and request, the same job comes back; with another "
        "request, 422.",
    ),
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
    return await job_answer(request, response, services, job=job, prefer=prefer)


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
