"""The picture with what was found drawn into it."""

import hashlib
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query
from pydantic import Field
from starlette.responses import Response

from api import openapi
from api.downloads import SAFE_HEADERS
from api.negotiation import preferred
from api.schemas.base import Question
from api.services import Given, Services, Tenant
from vision.domain.job import Item
from vision.domain.states import ItemState
from vision.domain.stored import DetectionFilter, as_detections
from vision.errors import Conflict
from vision.media.overlay import Overlay

router = APIRouter(prefix="/v1", tags=["results"])

_MEDIA_TYPES: Final = {"jpeg": "image/jpeg", "png": "image/png"}


class AnnotatedQuestion(Question):
    """How it is drawn."""

    format: Literal["jpeg", "png"] | None = Field(None, description="Goes before Accept.")
    boxes: bool = True
    masks: bool = True
    labels: bool = True
    keypoints: bool = True


@router.get(
    "/jobs/{job_id:uuid}/items/{asset_id:uuid}/annotated",
    response_class=Response,
    responses=openapi.file_answer("image/jpeg", "image/png", description="Upright.")
    | {304: {"description": "The client has it already."}},
)
def get_annotated(
    job_id: UUID,
    asset_id: UUID,
    services: Given,
    tenant: Tenant,
    question: Annotated[AnnotatedQuestion, Query()],
    accept: Annotated[str | None, Header(description="image/jpeg or image/png")] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """As large as the upright picture. 409 while, or because, there are no results."""
    media_type = _media_type(question, accept)
    item = services.engine.jobs.item(job_id, asset_id, tenant)
    _require_results(item)
    headers = _headers(item, question, media_type)
    if if_none_match is not None and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    picture = _drawn(services, item, question, tenant=tenant, media_type=media_type)
    return Response(picture, headers=headers, media_type=media_type)


def _media_type(question: AnnotatedQuestion, accept: str | None) -> str:
    if question.format is not None:
        return _MEDIA_TYPES[question.format]
    return preferred(accept, tuple(_MEDIA_TYPES.values()))


def _require_results(item: Item) -> None:
    if item.error is not None:
        raise Conflict(f"this item has no results: {item.error.detail}")
    if item.state is not ItemState.DONE:
        raise Conflict(f"this item has no results yet: it is {item.state.value}")


def _headers(item: Item, question: AnnotatedQuestion, media_type: str) -> dict[str, str]:
    parts = (item.job_id, item.asset_id, item.provenance_digest, item.detections, media_type)
    version = hashlib.sha256(f"{parts} {question!r}".encode()).hexdigest()[:32]
    return {
        **SAFE_HEADERS,
        "ETag": f'"{version}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept",
    }


def _drawn(
    services: Services, item: Item, question: AnnotatedQuestion, *, tenant: str, media_type: str
) -> bytes:
    engine = services.engine
    asset = engine.assets.get(item.asset_id, tenant)
    chosen = DetectionFilter(tenant=tenant, job_id=item.job_id, asset_id=item.asset_id)
    found = tuple(
        engine.detections.stream(
            chosen, include_masks=question.masks, include_keypoints=question.keypoints
        )
    )
    overlay = Overlay(
        as_detections(found),
        draw_masks=question.masks,
        draw_boxes=question.boxes,
        draw_labels=question.labels,
        draw_keypoints=question.keypoints,
    )
    source = engine.blobs.source(asset.blob_key)
    return services.decoders.annotate(source, overlay, media_type=media_type)
