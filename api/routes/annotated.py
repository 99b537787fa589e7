"""Pictures and videos with what was found drawn into them."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api import openapi
from api.drawn_picture import MEDIA_TYPES, drawn_picture, picture_type
from api.drawn_video import MEDIA_TYPE, ask_again, drawn_video, how_far, require_whole
from api.schemas.annotated import AnnotatedQuestion, RenderAnswer
from api.sent_file import CONDITIONAL, Wished
from api.services import Given, Tenant
from api.waiting import Prefer
from vision.domain.job import Item
from vision.domain.media import MediaKind
from vision.domain.states import ItemState
from vision.errors import Conflict

router = APIRouter(prefix="/v1", tags=["results"])

_PATH: Final = "/jobs/{job_id:uuid}/items/{asset_id:uuid}/annotated"
_UNFINISHED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": RenderAnswer, "description": "A worker draws the video; ask again."}
}
_FILES: Final = openapi.file_answer(
    *MEDIA_TYPES.values(), MEDIA_TYPE, description="Upright, as large as the original."
)


@router.head(_PATH, response_class=Response, include_in_schema=False)
@router.get(_PATH, response_class=Response, responses=_FILES | _UNFINISHED | CONDITIONAL)
async def get_annotated(
    job_id: UUID,
    asset_id: UUID,
    request: Request,
    services: Given,
    tenant: Tenant,
    question: Annotated[AnnotatedQuestion, Query()],
    wish: Wished,
    accept: Annotated[str | None, Header(description="image/jpeg, image/png, video/mp4")] = None,
    prefer: Prefer = None,
) -> Response:
    """A picture of an image, or of a video with `at_seconds`; else the video, drawn when it is
    first asked for: 202 until it is there. 409 while, or because, there are no results."""
    item = await run_in_threadpool(services.engine.jobs.item, job_id, asset_id, tenant)
    if item.facts.kind is MediaKind.VIDEO and question.at_seconds is None:
        require_whole(question, accept)
        _require_results(item)
        return await drawn_video(request, services, item, tenant=tenant, wish=wish, prefer=prefer)
    media_type = picture_type(question, accept)
    _require_results(item)
    return await run_in_threadpool(
        drawn_picture, services, item, question, tenant=tenant, wish=wish, media_type=media_type
    )


@router.post(
    _PATH,
    status_code=202,
    response_model=RenderAnswer,
    responses={200: {"model": RenderAnswer, "description": "It is there."}},
)
def draw_annotated(job_id: UUID, asset_id: UUID, services: Given, tenant: Tenant) -> Response:
    """Have an annotated video made before it is needed, or again after that failed.

    409 for an image and while there are no results.
    """
    item = services.engine.jobs.item(job_id, asset_id, tenant)
    _require_results(item)
    return how_far(ask_again(services, item, tenant), headers={})


def _require_results(item: Item) -> None:
    if item.error is not None and item.state is not ItemState.PARTIAL:
        raise Conflict(f"this item has no results: {item.error.detail}")
    if item.state not in (ItemState.DONE, ItemState.PARTIAL):
        raise Conflict(f"this item has no results yet: it is {item.state.value}")
