"""The Range header, RFC 9110 section 14: one range of bytes, which is what players ask for."""

import re
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException

_ONE_RANGE: Final = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """From `start` up to but not including `end`."""

    start: int
    end: int

    def header(self, size_bytes: int) -> str:
        """For Content-Range."""
        return f"bytes {self.start}-{self.end - 1}/{size_bytes}"


def requested_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """None means everything: without a header, and as the standard wants for one that isn't
    understood or asks for several ranges. Raises HTTPException 416 past the end."""
    match = _ONE_RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last = match.groups()
    if first:
        return _checked(int(first), int(last) + 1 if last else size_bytes, size_bytes)
    # Without a first byte the number counts from the end.
    return _checked(max(0, size_bytes - int(last)), size_bytes, size_bytes) if last else None


def _checked(start: int, end: int, size_bytes: int) -> ByteRange | None:
    if start >= size_bytes:
        raise HTTPException(
            416,
            f"the file has {size_bytes} bytes",
            headers={"Content-Range": f"bytes */{size_bytes}"},
        )
    return ByteRange(start, min(end, size_bytes)) if end > start else None
