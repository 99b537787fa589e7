"""A blob as an answer: whole, a range of it, or nothing where the client has it already."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request
from starlette.responses import Response, StreamingResponse

from api.downloads import streamed
from api.ranges import ByteRange, requested_range
from vision.storage.blobs import BlobStore

UNCHANGED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "The client has it already."}
}
CONDITIONAL: Final = UNCHANGED | {206: {"description": "The range that was asked for."}}


@dataclass(frozen=True, slots=True)
class Wish:
    """Which part a client wants, and under which condition."""

    method: str
    if_none_match: str | None
    if_range: str | None
    range: str | None

    def has(self, etag: str) -> bool:
        """Whether the client's copy is this version."""
        return self.if_none_match is not None and etag in self.if_none_match

    def range_of(self, etag: str, size_bytes: int) -> ByteRange | None:
        """None means everything. Raises HTTPException 416."""
        is_same = self.if_range is None or self.if_range == etag
        return requested_range(self.range if is_same else None, size_bytes)


async def _wish_of(
    request: Request,
    if_none_match: Annotated[str | None, Header()] = None,
    if_range: Annotated[str | None, Header()] = None,
    range_header: Annotated[str | None, Header(alias="Range")] = None,
) -> Wish:
    return Wish(request.method, if_none_match, if_range, range_header)


Wished = Annotated[Wish, Depends(_wish_of)]


@dataclass(frozen=True, slots=True)
class SentFile:
    """One version of a file that we keep."""

    blob_key: str
    size_bytes: int
    media_type: str
    version: str
    """Another one for other bytes; becomes the ETag."""

    @property
    def etag(self) -> str:
        return f'"{self.version}"'


def sent(blobs: BlobStore, file: SentFile, wish: Wish, *, headers: Mapping[str, str]) -> Response:
    """200, 206 or 304. Raises NotFound, StorageUnavailable, HTTPException 416."""
    etag = file.etag
    told = {**headers, "Accept-Ranges": "bytes", "ETag": etag, "Cache-Control": "private, no-cache"}
    if wish.has(etag):
        return Response(status_code=304, headers=told)
    chosen = wish.range_of(etag, file.size_bytes)
    told |= _part_headers(chosen, file.size_bytes)
    status = 200 if chosen is None else 206
    if wish.method == "HEAD":
        return Response(status_code=status, headers=told, media_type=file.media_type)
    part = chosen or ByteRange(0, file.size_bytes)
    pieces = blobs.stream(file.blob_key, part.start, part.end)
    return StreamingResponse(streamed(pieces), status, told, file.media_type)


def _part_headers(chosen: ByteRange | None, size_bytes: int) -> dict[str, str]:
    if chosen is None:
        return {"Content-Length": str(size_bytes)}
    return {
        "Content-Length": str(chosen.end - chosen.start),
        "Content-Range": chosen.header(size_bytes),
    }
