"""A list that may be long: page by page, or all of it as one stream of lines."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Annotated, Any, Final, TypeVar

from fastapi import Header
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from api.downloads import streamed
from api.negotiation import preferred
from api.rows import Row, ndjson, page_json
from api.schemas.base import PageAnswer, PageQuestion
from vision.errors import FieldError, InvalidRequest
from vision.storage.pages import Page

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"

Accept = Annotated[str | None, Header(description=f"{JSON} or {NDJSON}")]
Stored = TypeVar("Stored")


def described(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The answers of a list whose rows look like `model`, for the OpenAPI document."""
    return {
        200: {
            "model": PageAnswer[model],  # type: ignore[valid-type]
            "description": f"A page, or with `Accept: {NDJSON}` everything, a line each.",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        }
    }


def listing(
    question: PageQuestion,
    accept: str | None,
    *,
    page: Callable[[], Page[Stored]],
    stream: Callable[[], Iterator[Stored]],
    row: Callable[[Stored], Row],
) -> Response:
    """The page, or all in the same order, as the client likes it best.

    Raises InvalidRequest, HTTPException 406.
    """
    if preferred(accept, (JSON, NDJSON)) == JSON:
        found = page()
        return Response(page_json(map(row, found.items), found.next), media_type=JSON)
    if question.cursor is not None:
        detail = f"a stream has no pages: leave it out, or ask for {JSON}"
        raise InvalidRequest("the request is not valid", (FieldError("cursor", detail),))
    # Everything, unless the client itself named a limit: the default is one for pages.
    wanted = question.limit if "limit" in question.model_fields_set else None
    lines = ndjson(map(row, islice(stream(), wanted)))
    return StreamingResponse(streamed(lines), media_type=NDJSON)
