"""The id that ties an answer to our log lines."""

import re
from typing import Final

from starlette.datastructures import Headers
from uuid6 import uuid7

HEADER: Final = "x-request-id"
_ACCEPTABLE: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id_of(headers: Headers) -> str:
    """The caller's own when it is plain, else a new one: nobody writes lines into our log."""
    given = headers.get(HEADER, "")
    return given if _ACCEPTABLE.fullmatch(given) else str(uuid7())
