"""What was found: page by page, or as one stream."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.listing import Accept, described, listing
from api.rows import detection_row
from api.schemas.detections import DetectionAnswer, DetectionsQuestion, JobDetectionsQuestion
from api.services import Given, Services, Tenant
from vision.domain.stored import DetectionFilter

router = APIRouter(prefix="/v1", tags=["results"])

_ANSWERS = described(DetectionAnswer)


@router.get("/jobs/{job_id:uuid}/detections", response_class=Response, responses=_ANSWERS)
def list_job_detections(
    job_id: UUID,
    services: Given,
    tenant: Tenant,
    question: Annotated[JobDetectionsQuestion, Query()],
    accept: Accept = None,
) -> Response:
    """Of one job, in the job's order, which for a video is that of time."""
    services.engine.jobs.get(job_id, tenant)
    return _answer(services, question, question.chosen(tenant, job_id), accept=accept)


@router.get("/detections", response_class=Response, responses=_ANSWERS)
def list_detections(
    services: Given,
    tenant: Tenant,
    question: Annotated[DetectionsQuestion, Query()],
    accept: Accept = None,
) -> Response:
    """Of all jobs, newest first."""
    return _answer(services, question, question.chosen(tenant), accept=accept)


def _answer(
    services: Services,
    question: JobDetectionsQuestion,
    chosen: DetectionFilter,
    *,
    accept: str | None,
) -> Response:
    store = services.engine.detections
    extras = {
        "include_masks": "mask" in question.include,
        "include_keypoints": "keypoints" in question.include,
        "include_embeddings": "embedding" in question.include,
    }
    return listing(
        question,
        accept,
        page=lambda: store.page(chosen, limit=question.limit, cursor=question.cursor, **extras),
        stream=lambda: store.stream(chosen, **extras),
        row=lambda stored: detection_row(stored, question.include),
    )
