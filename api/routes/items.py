"""What became of each asset of a job."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.schemas.base import PageAnswer, PageQuestion
from api.schemas.items import ItemAnswer
from api.services import Given, Tenant

router = APIRouter(prefix="/v1", tags=["results"])


@router.get("/jobs/{job_id:uuid}/items")
def list_items(
    job_id: UUID, services: Given, tenant: Tenant, question: Annotated[PageQuestion, Query()]
) -> PageAnswer[ItemAnswer]:
    """In the job's order."""
    page = services.engine.jobs.items(job_id, tenant, limit=question.limit, cursor=question.cursor)
    return PageAnswer(items=tuple(ItemAnswer.of(each) for each in page.items), next=page.next)


@router.get("/jobs/{job_id:uuid}/items/{asset_id:uuid}")
def get_item(job_id: UUID, asset_id: UUID, services: Given, tenant: Tenant) -> ItemAnswer:
    """One asset of the job."""
    return ItemAnswer.of(services.engine.jobs.item(job_id, asset_id, tenant))
