"""Files: in, listed, erased."""

from contextlib import AsyncExitStack
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

from api import openapi
from api.body import Body
from api.form import FormLimits, ReceivedFile, read_form, wrong_field
from api.multipart import is_multipart
from api.problems import field_errors
from api.schemas.assets import AssetAnswer, AssetsQuestion, UploadQuestion
from api.schemas.base import PageAnswer, Tags
from api.services import Given, Services, Tenant
from api.text import decoded
from vision.domain.job import Asset
from vision.errors import InvalidRequest

router = APIRouter(prefix="/v1", tags=["assets"])

_TAGS: TypeAdapter[tuple[str, ...]] = TypeAdapter(Tags)
Upload = tuple[ReceivedFile, tuple[str, ...]]


@router.post(
    "/assets",
    status_code=201,
    response_model=AssetAnswer,
    responses={200: {"model": AssetAnswer, "description": "These bytes were here already."}},
    openapi_extra=openapi.raw_or_form_upload(),
)
async def upload(
    request: Request,
    response: Response,
    services: Given,
    tenant: Tenant,
    question: Annotated[UploadQuestion, Query()],
    x_filename: Annotated[str | None, Header(description="For display only.")] = None,
) -> AssetAnswer:
    """Store one image or video: the raw file as the body, or a form with one `file`.

    The type is found by content; `Content-Type` is only a hint. The same bytes again answer 200
    with the asset that is there.
    """
    async with AsyncExitStack() as stack:
        received, tags = await _received(request, stack, services, x_filename)
        asset, is_new = await run_in_threadpool(
            keep, services, received, tenant=tenant, tags=(*question.tag, *tags)
        )
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/assets/{asset.id}"
    return AssetAnswer.of(asset)


@router.get("/assets")
def list_assets(
    services: Given, tenant: Tenant, question: Annotated[AssetsQuestion, Query()]
) -> PageAnswer[AssetAnswer]:
    """Newest first."""
    page = services.engine.assets.page(
        tenant, limit=question.limit, cursor=question.cursor, tag=question.tag
    )
    return PageAnswer(items=tuple(AssetAnswer.of(each) for each in page.items), next=page.next)


@router.get("/assets/{asset_id:uuid}")
def get_asset(asset_id: UUID, services: Given, tenant: Tenant) -> AssetAnswer:
    """What is known about one file."""
    return AssetAnswer.of(services.engine.assets.get(asset_id, tenant))


@router.delete("/assets/{asset_id:uuid}", status_code=204)
def delete_asset(asset_id: UUID, services: Given, tenant: Tenant) -> None:
    """Erase the file with everything derived from it, in every job."""
    engine = services.engine
    blob_keys = engine.assets.delete(asset_id, tenant)
    for blob_key in blob_keys:
        engine.blobs.delete(blob_key)
    engine.assets.forget(blob_keys)


def keep(
    services: Services, received: ReceivedFile, *, tenant: str, tags: tuple[str, ...]
) -> tuple[Asset, bool]:
    """The asset of a received file, and whether it is new. Raises the kinds of BadMedia."""
    services.metrics.upload_bytes.inc(received.staged.size_bytes)
    return services.ingest.add(
        received.staged.path,
        sha256=received.sha256,
        size_bytes=received.staged.size_bytes,
        filename=received.filename,
        tenant=tenant,
        tags=_checked_tags(tags),
    )


async def _received(
    request: Request, stack: AsyncExitStack, services: Services, filename: str | None
) -> Upload:
    if is_multipart(request):
        return await _received_form(request, stack, services)
    limit = services.limits.max_upload_bytes
    body = Body(request, max_bytes=limit)
    staged = await stack.enter_async_context(services.staging.file(max_bytes=limit))
    while piece := await body.read():
        await staged.add(piece)
    name = decoded((filename or "").encode("latin-1"))
    return ReceivedFile(staged, await staged.complete(), name), ()


async def _received_form(request: Request, stack: AsyncExitStack, services: Services) -> Upload:
    limits = FormLimits(
        file_fields=frozenset({"file"}),
        text_fields=frozenset({"tags"}),
        max_files=1,
        max_file_bytes=services.limits.max_upload_bytes,
    )
    form = await read_form(request, stack, staging=services.staging, limits=limits)
    if not form.files:
        raise wrong_field("file", "is missing")
    return form.files[0], form.all("tags")


def _checked_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return _TAGS.validate_python(tags)
    except ValidationError as error:
        wrong = field_errors([each | {"loc": ("tags", *each["loc"])} for each in error.errors()])
        raise InvalidRequest("the tags are not valid", wrong) from error
