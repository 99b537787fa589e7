"""A finished job's objects followed once more, with other parameters: no model runs."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from api import openapi
from api.body import Body
from api.job_answer import job_answer
from api.problems import field_errors
from api.schemas.jobs import JobAnswer
from api.services import Given, Services, Tenant
from api.strict_json import parse_json
from api.waiting import Prefer
from vision.domain.job import Job
from vision.errors import InvalidRequest
from vision.pipelines.stages import TrackStage

router = APIRouter(prefix="/v1", tags=["jobs"])

MAX_BODY_BYTES: Final = 64 * 1024


@router.post(
    "/jobs/{job_id:uuid}/track",
    status_code=202,
    response_model=JobAnswer,
    responses={200: {"model": JobAnswer, "description": "The job has ended already."}},
    openapi_extra=openapi.tracking(),
)
async def track_again(
    job_id: UUID,
    request: Request,
    response: Response,
    services: Given,
    tenant: Tenant,
    prefer: Prefer = None,
) -> JobAnswer:
    """The body is a `track` stage; empty, it is the default one. New tracks take the place of the
    old ones, and annotated videos are drawn anew when they are next asked for.

    409 while the job runs, for one without detections in a video, and for one whose objects a model
    follows: their tracks come with their masks.
    """
    stage = _stage(await Body(request, max_bytes=MAX_BODY_BYTES).read_all())
    job = await run_in_threadpool(_started, services, job_id, stage, tenant=tenant)
    return await job_answer(request, response, services, job=job, prefer=prefer)


def _stage(body: bytes) -> TrackStage:
    try:
        return TrackStage.model_validate(parse_json(body) if body else {})
    except ValidationError as error:
        found = field_errors(error.errors(include_url=False, include_context=False))
        raise InvalidRequest("the request is not valid", found) from error


def _started(services: Services, job_id: UUID, stage: TrackStage, *, tenant: str) -> Job:
    asked = stage.model_dump(mode="json", exclude_none=True)
    job = services.engine.submissions.retrack(job_id, asked, tenant)
    services.ring_for(job)
    return job
