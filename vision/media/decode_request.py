"""What the decode process can be asked, and how it says that it can't."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from vision.errors import BadMedia
from vision.media.wire import Message

ENCODABLE_TYPES = ("image/jpeg", "image/png")
"""What `annotate` answers with."""
OUT_OF_MEMORY = "out_of_memory"
"""The one answer that is no error class: a fresh process may have room."""


class Operation(StrEnum):
    """Each takes the source file as the first descriptor, unless it says otherwise."""

    PROBE = "probe"
    DECODE = "decode"
    """The second descriptor is the buffer for the pixels."""
    ANNOTATE = "annotate"
    """The body is an overlay; the answer's body is the encoded picture."""
    INDEX = "index"
    """Of a video: the answer's body is its times and keyframe flags."""
    STILL = "still"
    """The second descriptor is the buffer for the pixels."""
    FRAMES = "frames"
    """The body is a chunk. From then on NEXT and LEAVE are the only questions."""
    NEXT = "next"
    """The only descriptor is the buffer for the next frame's pixels."""
    LEAVE = "leave"
    """No descriptor."""


@dataclass(frozen=True, slots=True)
class Request:
    """The header of a request."""

    operation: Operation
    buffer_id: int = 0
    """Equal ids, equal memory: it need not be mapped again."""
    forgotten: tuple[int, ...] = ()
    """Buffers that won't come again."""
    media_type: str = ""
    """Of the picture that `annotate` answers."""
    at_seconds: float | None = None
    """Which moment of a video; an image has none."""

    def to_json(self) -> dict[str, object]:
        return {
            "operation": self.operation,
            "buffer_id": self.buffer_id,
            "forgotten": list(self.forgotten),
            "media_type": self.media_type,
            "at_seconds": self.at_seconds,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            operation=Operation(document["operation"]),
            buffer_id=document["buffer_id"],
            forgotten=tuple(document["forgotten"]),
            media_type=document["media_type"],
            at_seconds=document["at_seconds"],
        )


def error_answer(error: BadMedia | MemoryError) -> Message:
    """How the decode process says that it can't."""
    if isinstance(error, MemoryError):
        return Message({"code": OUT_OF_MEMORY})
    return Message({"code": error.code, "detail": str(error)})
