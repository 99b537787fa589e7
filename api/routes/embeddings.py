"""Vectors of pictures and of what was found in them: page by page, or as one stream."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.listing import Accept, described, listing
from api.rows import embedding_row
from api.schemas.embeddings import EmbeddingAnswer, EmbeddingsQuestion
from api.services import Given, Tenant

router = APIRouter(prefix="/v1", tags=["results"])


@router.get(
    "/jobs/{job_id:uuid}/embeddings",
    response_class=Response,
    responses=described(EmbeddingAnswer),
)
def list_embeddings(
    job_id: UUID,
    services: Given,
    tenant: Tenant,
    question: Annotated[EmbeddingsQuestion, Query()],
    accept: Accept = None,
) -> Response:
    """In the job's order; of a picture first the whole, then its detections."""
    services.engine.jobs.get(job_id, tenant)
    store, chosen = services.engine.embeddings, question.chosen(tenant, job_id)
    return listing(
        question,
        accept,
        page=lambda: store.page(
            chosen,
            limit=question.limit,
            cursor=question.cursor,
            include_vectors=question.vectors,
        ),
        stream=lambda: store.stream(chosen, include_vectors=question.vectors),
        row=embedding_row,
    )
