"""What whole pictures and clips show: page by page, or as one stream."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.listing import Accept, described, listing
from api.rows import classification_row
from api.schemas.classifications import ClassificationAnswer, ClassificationsQuestion
from api.services import Given, Tenant

router = APIRouter(prefix="/v1", tags=["results"])


@router.get(
    "/jobs/{job_id:uuid}/classifications",
    response_class=Response,
    responses=described(ClassificationAnswer),
)
def list_classifications(
    job_id: UUID,
    services: Given,
    tenant: Tenant,
    question: Annotated[ClassificationsQuestion, Query()],
    accept: Accept = None,
) -> Response:
    """In the job's order; of each picture or clip the best name first."""
    services.engine.jobs.get(job_id, tenant)
    store, chosen = services.engine.classifications, question.chosen(tenant, job_id)
    return listing(
        question,
        accept,
        page=lambda: store.page(chosen, limit=question.limit, cursor=question.cursor),
        stream=lambda: store.stream(chosen),
        row=classification_row,
    )
