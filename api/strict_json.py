"""JSON from strangers: no duplicate keys, no NaN, no depth that hurts."""

import json
from typing import Any, Final, NoReturn

from vision.errors import InvalidRequest

MAX_JSON_BYTES: Final = 4 * 1024 * 1024
"""Ten thousand asset ids are a tenth of it."""


def parse_json(text: str | bytes, *, what: str = "the body") -> Any:
    """Raises InvalidRequest."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise InvalidRequest(f"{what} is nested too deeply") from error
    except ValueError as error:
        raise InvalidRequest(f"{what} is not valid JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
