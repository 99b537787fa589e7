"""One page of a list and the opaque cursor that asks for the next: by key, never by offset."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

import orjson

from vision.errors import FieldError, InvalidRequest

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows in the list's order. A page may be shorter than its limit and not be the last."""

    items: tuple[T, ...]
    next: str | None
    """Cursor of the page after this one; None on the last."""


def encode_cursor(kind: str, *key: int | str | UUID) -> str:
    """URL-safe text; `kind` names the order, so that another list's cursor is recognised."""
    packed = orjson.dumps([kind, *key])
    return base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")


def decode_cursor(cursor: str, kind: str, types: Sequence[type]) -> tuple[object, ...]:
    """The key, each part of its type (int, str, UUID). Raises InvalidRequest naming `cursor`."""
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        found, *key = orjson.loads(packed)
        if found != kind or len(key) != len(types):
            raise ValueError("a cursor of another list")
        return tuple(_typed(part, wanted) for part, wanted in zip(key, types, strict=True))
    except (ValueError, TypeError, binascii.Error) as error:
        detail = "not a cursor of this list; take `next` of the page before"
        raise InvalidRequest("the cursor is not valid", [FieldError("cursor", detail)]) from error


def page_of(
    rows: Sequence[R], limit: int, *, item: Callable[[R], T], cursor: Callable[[R], str]
) -> Page[T]:
    """From up to `limit` + 1 rows: the extra row only says that there is a next page."""
    shown = rows[:limit]
    following = cursor(shown[-1]) if len(rows) > limit else None
    return Page(tuple(item(row) for row in shown), following)


def _typed(part: object, wanted: type) -> object:
    if wanted is UUID and isinstance(part, str):
        return UUID(part)
    if type(part) is not wanted:
        raise TypeError(f"{wanted.__name__} expected")
    if isinstance(part, int) and not -(2**63) <= part < 2**63:
        raise ValueError("a key is a 64-bit number")
    return part
