"""A picture, or a still of a video, with what was found drawn into it."""

import hashlib
from typing import Final

from starlette.responses import Response

from api.downloads import SAFE_HEADERS
from api.negotiation import preferred
from api.schemas.annotated import AnnotatedQuestion
from api.sent_file import Wish
from api.services import Services
from vision.domain.job import Item
from vision.domain.media import MediaKind
from vision.domain.stored import DetectionFilter, StoredDetection, as_detections
from vision.domain.track import NO_TRACK
from vision.errors import FieldError, InvalidRequest
from vision.media.overlay import Overlay

MEDIA_TYPES: Final = {"jpeg": "image/jpeg", "png": "image/png"}


def picture_type(question: AnnotatedQuestion, accept: str | None) -> str:
    """Raises HTTPException 406."""
    if question.format is not None:
        return MEDIA_TYPES[question.format]
    return preferred(accept, tuple(MEDIA_TYPES.values()))


def drawn_picture(
    services: Services,
    item: Item,
    question: AnnotatedQuestion,
    *,
    tenant: str,
    wish: Wish,
    media_type: str,
) -> Response:
    """As large as the upright picture; 304 where the client has it.

    Raises InvalidRequest naming at_seconds, the kinds of BadMedia, NotFound, StorageUnavailable.
    """
    _require_moment(item, question.at_seconds)
    headers = _headers(item, question, media_type)
    if wish.has(headers["ETag"]):
        return Response(status_code=304, headers=headers)
    blob_key = services.engine.assets.get(item.asset_id, tenant).blob_key
    picture = services.decoders.annotate(
        lambda: services.originals.source(blob_key),
        _overlay(_found(services, item, question, tenant=tenant), question),
        media_type=media_type,
        at_seconds=question.at_seconds,
    )
    return Response(picture, headers=headers, media_type=media_type)


def _require_moment(item: Item, at_seconds: float | None) -> None:
    """Raises InvalidRequest naming the field when there is no such moment."""
    if at_seconds is None:
        return
    facts = item.facts
    if facts.kind is not MediaKind.VIDEO:
        raise _wrong_moment("an image has no time")
    start = facts.start_seconds or 0.0
    is_before_end = facts.duration_seconds is None or at_seconds <= start + facts.duration_seconds
    if at_seconds < start or not is_before_end:
        end = "its end" if facts.duration_seconds is None else f"{start + facts.duration_seconds:g}"
        raise _wrong_moment(f"the video runs from {start:g} to {end} seconds")


def _headers(item: Item, question: AnnotatedQuestion, media_type: str) -> dict[str, str]:
    results = (item.provenance_digest, item.detections, item.track_parameters)
    parts = (item.job_id, item.asset_id, results, media_type)
    version = hashlib.sha256(f"{parts} {question!r}".encode()).hexdigest()[:32]
    return {
        **SAFE_HEADERS,
        "ETag": f'"{version}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept",
    }


def _found(
    services: Services, item: Item, question: AnnotatedQuestion, *, tenant: str
) -> tuple[StoredDetection, ...]:
    store = services.engine.detections
    if question.at_seconds is not None:
        return store.at(
            item.job_id,
            item.asset_id,
            tenant,
            at_seconds=question.at_seconds,
            include_masks=question.masks,
        )
    chosen = DetectionFilter(tenant=tenant, job_id=item.job_id, asset_id=item.asset_id)
    return tuple(
        store.stream(chosen, include_masks=question.masks, include_keypoints=question.keypoints)
    )


def _overlay(found: tuple[StoredDetection, ...], question: AnnotatedQuestion) -> Overlay:
    track_ids = tuple(row.track_id or NO_TRACK for row in found)
    return Overlay(
        as_detections(found),
        draw_masks=question.masks,
        draw_boxes=question.boxes,
        draw_labels=question.labels,
        draw_keypoints=question.keypoints,
        track_ids=track_ids if any(track_ids) else None,
    )


def _wrong_moment(detail: str) -> InvalidRequest:
    return InvalidRequest("the request is not valid", (FieldError("at_seconds", detail),))
