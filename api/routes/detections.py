"""What was found: page by page, as one stream, or counted."""

from itertools import islice
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse

from api.downloads import streamed
from api.negotiation import preferred
from api.rows import NDJSON, ndjson, page_json
from api.schemas.base import PageAnswer
from api.schemas.detections import (
    CountAnswer,
    CountsQuestion,
    DetectionAnswer,
    DetectionsQuestion,
    JobDetectionsQuestion,
)
from api.services import Given, Services, Tenant
from vision.domain.stored import DetectionFilter
from vision.errors import FieldError, InvalidRequest
from vision.storage.detections import DetectionStore

router = APIRouter(prefix="/v1", tags=["results"])

_JSON: Final = "application/json"
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "model": PageAnswer[DetectionAnswer],
        "description": "A page, or with `Accept: application/x-ndjson` everything, a line each.",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    }
}
Accept = Annotated[str | None, Header(description=f"{_JSON} or {NDJSON}")]


@router.get("/jobs/{job_id:uuid}/detections", response_class=Response, responses=_ANSWERS)
def list_job_detections(
    job_id: UUID,
    services: Given,
    tenant: Tenant,
    question: Annotated[JobDetectionsQuestion, Query()],
    accept: Accept = None,
) -> Response:
    """Of one job, in the job's order."""
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


@router.get("/jobs/{job_id:uuid}/counts")
def count_job_detections(
    job_id: UUID, services: Given, tenant: Tenant, _question: Annotated[CountsQuestion, Query()]
) -> PageAnswer[CountAnswer]:
    """Most frequent first."""
    services.engine.jobs.get(job_id, tenant)
    counts = services.engine.detections.counts(job_id, tenant)
    return PageAnswer(items=tuple(CountAnswer.of(count) for count in counts), next=None)


def _answer(
    services: Services,
    question: JobDetectionsQuestion,
    chosen: DetectionFilter,
    *,
    accept: str | None,
) -> Response:
    store = services.engine.detections
    if preferred(accept, (_JSON, NDJSON)) == NDJSON:
        return _stream(store, question, chosen)
    page = store.page(
        chosen,
        limit=question.limit,
        cursor=question.cursor,
        include_masks="mask" in question.include,
        include_keypoints="keypoints" in question.include,
    )
    return Response(page_json(page, question.include), media_type=_JSON)


def _stream(
    store: DetectionStore, question: JobDetectionsQuestion, chosen: DetectionFilter
) -> Response:
    if question.cursor is not None:
        detail = "a stream has no pages: leave it out, or ask for application/json"
        raise InvalidRequest("the request is not valid", (FieldError("cursor", detail),))
    found = store.stream(
        chosen,
        include_masks="mask" in question.include,
        include_keypoints="keypoints" in question.include,
    )
    # Everything, unless the client itself named a limit: the default is one for pages.
    wanted = question.limit if "limit" in question.model_fields_set else None
    lines = ndjson(islice(found, wanted), question.include)
    return StreamingResponse(streamed(lines), media_type=NDJSON)
