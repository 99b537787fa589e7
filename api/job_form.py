"""A submission in either of its forms, brought to the same value."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from pydantic import ValidationError

from api.body import Body
from api.form import Form, FormLimits, ReceivedFile, read_form, wrong_field
from api.multipart import is_multipart
from api.problems import field_errors
from api.schemas.jobs import JobFormQuestion, JobQuestion
from api.services import Services
from api.strict_json import MAX_JSON_BYTES, parse_json
from vision.errors import InvalidRequest

_FILE_FIELDS: Final = frozenset({"files"})
_TEXT_FIELDS: Final = frozenset({"pipeline", "tags", "priority", "webhook"})


@dataclass(frozen=True, slots=True)
class Submission:
    """What is asked, and the files that came with it: either these or asset ids."""

    question: JobQuestion | JobFormQuestion
    files: tuple[ReceivedFile, ...] = ()


async def read_submission(
    request: Request, stack: AsyncExitStack, services: Services
) -> Submission:
    """Files live until `stack` closes. Raises InvalidRequest, BodyTooLarge, HTTPException."""
    if is_multipart(request):
        return await _read_form(request, stack, services)
    body = await Body(request, max_bytes=MAX_JSON_BYTES).read_all()
    return Submission(_validated(JobQuestion, parse_json(body)))


async def _read_form(request: Request, stack: AsyncExitStack, services: Services) -> Submission:
    limits = FormLimits(
        file_fields=_FILE_FIELDS,
        text_fields=_TEXT_FIELDS,
        max_files=services.limits.max_files,
        max_file_bytes=services.limits.max_upload_bytes,
    )
    form = await read_form(request, stack, staging=services.staging, limits=limits)
    if not form.files:
        raise wrong_field("files", "give at least one file")
    return Submission(_validated(JobFormQuestion, _document(form)), form.files)


def _document(form: Form) -> dict[str, Any]:
    """The form's texts as the JSON they stand for; what wasn't given is left out."""
    pipeline = form.one("pipeline")
    given = {
        "pipeline": _parsed(pipeline) if pipeline is not None else None,
        "tags": form.all("tags") or None,
        "priority": form.one("priority"),
        "webhook": form.one("webhook"),
    }
    return {name: value for name, value in given.items() if value is not None}


def _parsed(pipeline: str) -> Any:
    is_document = pipeline.lstrip().startswith("{")
    return parse_json(pipeline, what="pipeline") if is_document else pipeline.strip()


def _validated(schema: type[JobQuestion] | type[JobFormQuestion], document: object) -> Any:
    try:
        return schema.model_validate(document)
    except ValidationError as error:
        found = field_errors(error.errors(include_url=False, include_context=False))
        raise InvalidRequest("the request is not valid", found) from error
