"""What all schemas share."""

import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Final, Generic, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from vision.domain.job import ItemFailure

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000


class Answer(BaseModel):
    """Something we say: every field is always there, null where there is nothing to say."""

    model_config = ConfigDict(frozen=True)


class Failure(Answer):
    """Why there are no results."""

    code: str = Field(description="For programs; stable.", examples=["image_truncated"])
    detail: str = Field(description="For people.")

    @classmethod
    def of(cls, failure: ItemFailure | None) -> Self | None:
        return None if failure is None else cls(code=failure.code, detail=failure.detail)


class Question(BaseModel):
    """Something we are asked: unknown names are refused, so that a typo is never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _one_line(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("control characters are not allowed")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
"""Text without control characters."""
Tag = Annotated[Line, Field(min_length=1, max_length=100)]
Tags = Annotated[tuple[Tag, ...], Field(max_length=50)]


def rfc_3339(seconds: float) -> str:
    """In UTC, to the millisecond."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    float,
    PlainSerializer(rfc_3339, return_type=str),
    Field(json_schema_extra={"format": "date-time"}),
]
"""Seconds since 1970 inside, RFC 3339 in UTC outside."""

Thing = TypeVar("Thing")


class PageAnswer(Answer, Generic[Thing]):
    """One page of a list."""

    items: tuple[Thing, ...]
    next: str | None = Field(
        description="Give it as `cursor` to get the next page; null on the last one."
    )


class PageQuestion(Question):
    """Which part of a list."""

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="How many at most.")
    cursor: str | None = Field(
        None, max_length=500, description="`next` of the page before, with the same filters."
    )
