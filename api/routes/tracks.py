"""Objects followed through videos, and the picture of each at its best."""

import hashlib
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from api import openapi
from api.downloads import NO_SNIFFING
from api.listing import Accept, described, listing
from api.rows import track_row
from api.schemas.detections import MAX_INTEGER
from api.schemas.tracks import TrackAnswer, TracksQuestion
from api.sent_file import UNCHANGED
from api.services import Given, Services, Tenant
from vision.domain.stored import TrackFilter
from vision.errors import NotFound

router = APIRouter(prefix="/v1", tags=["results"])

_JPEG: Final = "image/jpeg"


@router.get("/jobs/{job_id:uuid}/tracks", response_class=Response, responses=described(TrackAnswer))
def list_tracks(
    job_id: UUID,
    services: Given,
    tenant: Tenant,
    question: Annotated[TracksQuestion, Query()],
    accept: Accept = None,
) -> Response:
    """In the order of the job's videos, and of first appearance in each."""
    services.engine.jobs.get(job_id, tenant)
    store, chosen = services.engine.tracks, question.chosen(tenant, job_id)
    return listing(
        question,
        accept,
        page=lambda: store.page(chosen, limit=question.limit, cursor=question.cursor),
        stream=lambda: store.stream(chosen),
        row=track_row,
    )


@router.get(
    "/jobs/{job_id:uuid}/tracks/{track_id:int}/crop",
    response_class=Response,
    responses=openapi.file_answer(_JPEG, description="The object, cut out.") | UNCHANGED,
)
def get_track_crop(
    job_id: UUID,
    track_id: int,
    services: Given,
    tenant: Tenant,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The object at its best moment. 404 when none was kept."""
    services.engine.jobs.get(job_id, tenant)
    blob_key, start, length = _crop(services, job_id, track_id, tenant=tenant)
    version = hashlib.sha256(f"{blob_key} {start}".encode()).hexdigest()[:32]
    headers = {**NO_SNIFFING, "ETag": f'"{version}"', "Cache-Control": "private, no-cache"}
    if if_none_match is not None and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    picture = b"".join(services.engine.blobs.stream(blob_key, start, start + length))
    return Response(picture, headers=headers, media_type=_JPEG)


def _crop(services: Services, job_id: UUID, track_id: int, *, tenant: str) -> tuple[str, int, int]:
    """Where its bytes are: blob, offset and length."""
    # A larger number is no track's, and no column's either.
    if track_id <= MAX_INTEGER:
        chosen = TrackFilter(job_id=job_id, tenant=tenant, track_id=track_id)
        for found in services.engine.tracks.page(chosen, limit=1).items:
            if found.crop is not None and found.crops_blob_key is not None:
                return found.crops_blob_key, *found.crop
    raise NotFound(f"no picture of a track {track_id} in job {job_id}")
