"""The bytes of a stored file, whole or a range of them."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Header, Request
from starlette.responses import Response, StreamingResponse

from api import openapi
from api.downloads import SAFE_HEADERS, attachment, streamed
from api.ranges import ByteRange, requested_range
from api.services import Given, Tenant
from vision.domain.job import Asset

router = APIRouter(prefix="/v1", tags=["assets"])

_PATH: Final = "/assets/{asset_id:uuid}/content"
_ANSWERS: Final = openapi.file_answer("*/*", description="The file as it was uploaded.") | {
    206: {"description": "The range that was asked for."},
    304: {"description": "The client has it already."},
}


@router.head(_PATH, response_class=Response, include_in_schema=False)
@router.get(_PATH, response_class=Response, responses=_ANSWERS)
def get_content(
    request: Request,
    asset_id: UUID,
    services: Given,
    tenant: Tenant,
    if_none_match: Annotated[str | None, Header()] = None,
    if_range: Annotated[str | None, Header()] = None,
    range_header: Annotated[str | None, Header(alias="Range")] = None,
) -> Response:
    """Always as an attachment: these are other people's bytes, whatever their type says."""
    asset = services.engine.assets.get(asset_id, tenant)
    headers = _headers(asset)
    if if_none_match is not None and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    is_same = if_range is None or if_range == headers["ETag"]
    chosen = requested_range(range_header if is_same else None, asset.size_bytes)
    headers |= _part_headers(chosen, asset.size_bytes)
    status = 200 if chosen is None else 206
    media_type = asset.facts.media_type
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    part = chosen or ByteRange(0, asset.size_bytes)
    pieces = services.engine.blobs.stream(asset.blob_key, part.start, part.end)
    return StreamingResponse(streamed(pieces), status, headers, media_type)


def _part_headers(chosen: ByteRange | None, size_bytes: int) -> dict[str, str]:
    if chosen is None:
        return {"Content-Length": str(size_bytes)}
    return {
        "Content-Length": str(chosen.end - chosen.start),
        "Content-Range": chosen.header(size_bytes),
    }


def _headers(asset: Asset) -> dict[str, str]:
    return {
        **SAFE_HEADERS,
        **attachment(asset.filename),
        "Accept-Ranges": "bytes",
        "ETag": f'"{asset.sha256}"',
        "Cache-Control": "private, no-cache",
    }
