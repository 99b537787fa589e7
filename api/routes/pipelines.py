"""The pipelines that can be asked for by name."""

from fastapi import APIRouter

from api.schemas.base import PageAnswer
from api.schemas.models import PipelineAnswer
from vision.pipelines.named import NAMED

router = APIRouter(prefix="/v1", tags=["models"])


@router.get("/pipelines")
async def list_pipelines() -> PageAnswer[PipelineAnswer]:
    """All of them; the list has one page."""
    return PageAnswer(
        items=tuple(
            PipelineAnswer(
                name=name, description=named.description, pipeline=named.document.normal_form
            )
            for name, named in NAMED.items()
        ),
        next=None,
    )
