"""A whole video with what was found drawn into it: made by a worker when first asked for, kept."""

import hashlib
from pathlib import PurePath
from typing import Final

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.downloads import NO_SNIFFING, inline
from api.negotiation import preferred
from api.problems import problem
from api.schemas.annotated import AnnotatedQuestion, RenderAnswer
from api.sent_file import SentFile, Wish, sent
from api.services import Services
from api.waiting import applied, preferred_seconds, wait_until
from vision.domain.job import Item, ItemFailure
from vision.domain.states import UnitState
from vision.domain.stored import RenderState
from vision.errors import FieldError, InvalidRequest

MEDIA_TYPE: Final = "video/mp4"
POLL_SECONDS: Final = 2
"""What a client is told to wait: drawing takes seconds to minutes."""
_UNKNOWN: Final = ItemFailure("internal_error", "the worker's log says why")


def require_whole(question: AnnotatedQuestion, accept: str | None) -> None:
    """Raises InvalidRequest naming what is only for pictures, HTTPException 406."""
    detail = "only for pictures: give at_seconds for a still, or leave it out"
    given = sorted(question.model_fields_set - {"at_seconds"})
    if given:
        wrong = tuple(FieldError(name, detail) for name in given)
        raise InvalidRequest("the request is not valid", wrong)
    preferred(accept, (MEDIA_TYPE,))


async def drawn_video(
    request: Request,
    services: Services,
    item: Item,
    *,
    tenant: str,
    wish: Wish,
    prefer: str | None,
) -> Response:
    """The file or a part of it; 202 while it is drawn; 409 with the code of what went wrong."""
    ask = lambda: _render(services, item, tenant)  # noqa: E731
    seconds = preferred_seconds(prefer)
    render = await wait_until(
        request, ask, is_over=lambda found: not found.state.is_open, seconds=seconds or 0
    )
    told = {} if seconds is None else applied(seconds)
    if render.state.is_open:
        return how_far(render, headers=told)
    if render.state is not UnitState.DONE:
        return _failed(request, render.error or _UNKNOWN)
    headers = told | NO_SNIFFING | inline(f"{PurePath(item.filename).stem}.annotated.mp4")
    blobs = services.engine.blobs
    return await run_in_threadpool(sent, blobs, _file(render), wish, headers=headers)


def ask_again(services: Services, item: Item, tenant: str) -> RenderState:
    """Drawn from now on, unless it is there. Raises Conflict."""
    render = services.engine.jobs.request_render(item.job_id, item.asset_id, tenant)
    services.bell.ring(1)
    return render


def how_far(render: RenderState, *, headers: dict[str, str]) -> Response:
    """202 until it is there."""
    told = headers | {"Cache-Control": "no-store"}
    if render.state.is_open:
        told |= {"Retry-After": str(POLL_SECONDS)}
    body = RenderAnswer.of(render).model_dump_json()
    status = 202 if render.state.is_open else 200
    return Response(body, status, told, media_type="application/json")


def _render(services: Services, item: Item, tenant: str) -> RenderState:
    """As it stands; asked for if nobody did, or if that was called off."""
    render = services.engine.jobs.render(item.job_id, item.asset_id, tenant)
    if render is None or render.state is UnitState.CANCELLED:
        return ask_again(services, item, tenant)
    return render


def _file(render: RenderState) -> SentFile:
    assert render.blob_key is not None
    assert render.size_bytes is not None
    # Drawn anew it has another key; the key itself is nobody's business.
    version = hashlib.sha256(render.blob_key.encode()).hexdigest()[:32]
    media_type = render.media_type or MEDIA_TYPE
    return SentFile(render.blob_key, render.size_bytes, media_type, version)


def _failed(request: Request, error: ItemFailure) -> Response:
    return problem(
        409,
        error.code,
        detail=f"the video could not be drawn: {error.detail}; POST to this address to try again",
        request_id=request.state.request_id,
    )
