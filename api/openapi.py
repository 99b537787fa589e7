"""The words of the OpenAPI document, and what the framework would get wrong in it."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

from api.problems import MEDIA_TYPE
from api.schemas.jobs import JobQuestion
from api.schemas.models import AcceptanceQuestion
from api.schemas.problem import Problem
from vision.pipelines.stages import TrackStage

SUMMARY: Final = "Images and videos in, structured, queryable detections and tracks out."
DESCRIPTION: Final = """
Upload images and videos once (`/v1/assets`), run any pipeline of models over them (`/v1/jobs`),
then ask for what was found: as pages, as a stream, as tracks, as names of whole pictures, as
vectors, as counts, as a file for other tools, or drawn into the picture or the video.

* Boxes are `[x1, y1, x2, y2]` in pixels of the upright picture; masks are COCO run lengths.
* Times are RFC 3339 in UTC. `pts_seconds` and its like are places in a video: the frame's own
  timestamp on the video's own clock, which begins at the asset's `start_seconds`.
* Every list takes `limit` and `cursor` and answers `{"items": […], "next": "…" | null}`.
* Every error is `application/problem+json` with a stable `code`; `retryable` says whether the
  same request may succeed later. `X-Request-Id` ties an answer to our log.
"""

_SCHEMA_PATH: Final = "#/components/schemas/{model}"
_REFERRED: Final[tuple[type[BaseModel], ...]] = (
    Problem,
    JobQuestion,
    TrackStage,
    AcceptanceQuestion,
)


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _SCHEMA_PATH.format(model=model.__name__)}


EVERY_ERROR: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "description": "Any error, as problem details.",
        "content": {MEDIA_TYPE: {"schema": _ref(Problem)}},
    }
}

_BINARY: Final = {"type": "string", "format": "binary"}
_TEXT_LIST: Final = {"type": "array", "items": {"type": "string"}}


def raw_or_form_upload() -> dict[str, Any]:
    """The body of an upload: the file itself, or a form with one file."""
    form = {"type": "object", "required": ["file"], "properties": {"file": _BINARY}}
    form["properties"] |= {"tags": _TEXT_LIST}  # type: ignore[operator]
    return _body({"*/*": {"schema": _BINARY}, "multipart/form-data": {"schema": form}})


def job_submission() -> dict[str, Any]:
    """The body of a submission: JSON about stored assets, or a form that brings the files."""
    form = {
        "type": "object",
        "required": ["files", "pipeline"],
        "properties": {
            "files": {"type": "array", "items": _BINARY},
            "pipeline": {"type": "string", "description": "A name, or a document as JSON."},
            "tags": _TEXT_LIST,
            "priority": {"type": "integer"},
            "webhook": {"type": "string", "format": "uri"},
        },
    }
    return _body(
        {"application/json": {"schema": _ref(JobQuestion)}, "multipart/form-data": {"schema": form}}
    )


def tracking() -> dict[str, Any]:
    """The body of a wish to follow objects once more; it may be empty."""
    return _body({"application/json": {"schema": _ref(TrackStage)}}, is_required=False)


def acceptance() -> dict[str, Any]:
    """The body of an acceptance of terms."""
    return _body({"application/json": {"schema": _ref(AcceptanceQuestion)}})


def file_answer(*media_types: str, description: str) -> dict[int | str, dict[str, Any]]:
    """An answer that is a file."""
    content = {media_type: {"schema": _BINARY} for media_type in media_types}
    return {200: {"description": description, "content": content}}


def complete(app: FastAPI) -> None:
    """Adds the schemas that the document refers to and that no route takes or returns itself."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in _REFERRED:
            schema = model.model_json_schema(ref_template=_SCHEMA_PATH)
            schemas.update(schema.pop("$defs", {}))
            schemas[model.__name__] = schema
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _body(content: Mapping[str, Any], *, is_required: bool = True) -> dict[str, Any]:
    return {"requestBody": {"required": is_required, "content": content}}
