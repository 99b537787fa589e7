"""The bytes of a stored file, whole or a range of them."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from api import openapi
from api.downloads import SAFE_HEADERS, attachment
from api.sent_file import CONDITIONAL, SentFile, Wished, sent
from api.services import Given, Tenant

router = APIRouter(prefix="/v1", tags=["assets"])

_PATH: Final = "/assets/{asset_id:uuid}/content"
_ANSWERS: Final = openapi.file_answer("*/*", description="The file as it was uploaded.")


@router.head(_PATH, response_class=Response, include_in_schema=False)
@router.get(_PATH, response_class=Response, responses=_ANSWERS | CONDITIONAL)
def get_content(asset_id: UUID, services: Given, tenant: Tenant, wish: Wished) -> Response:
    """Always as an attachment: these are other people's bytes, whatever their type says."""
    asset = services.engine.assets.get(asset_id, tenant)
    file = SentFile(asset.blob_key, asset.size_bytes, asset.facts.media_type, asset.sha256)
    headers = SAFE_HEADERS | attachment(asset.filename)
    return sent(services.engine.blobs, file, wish, headers=headers)
