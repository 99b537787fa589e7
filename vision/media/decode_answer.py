"""What the decode process answered, believed only as far as it can be checked."""

from vision.domain.media import MediaFacts
from vision.errors import (
    BadMedia,
    CorruptMedia,
    CorruptVideo,
    DecoderCrashed,
    DecodeTimeout,
    EmptyFile,
    MediaTooLarge,
    NoFrames,
    NoVideoStream,
    TruncatedMedia,
    UnsupportedCodec,
    UnsupportedType,
    VideoTooLarge,
    VideoTooLong,
)
from vision.media.decode_request import OUT_OF_MEMORY
from vision.media.facts_json import facts_from_json
from vision.media.wire import Message

_MAX_DETAIL_CHARACTERS = 500
_ERRORS: dict[str, type[BadMedia]] = {
    error.code: error
    for error in (
        CorruptMedia,
        CorruptVideo,
        DecodeTimeout,
        EmptyFile,
        MediaTooLarge,
        NoFrames,
        NoVideoStream,
        TruncatedMedia,
        UnsupportedCodec,
        UnsupportedType,
        VideoTooLarge,
        VideoTooLong,
    )
}


def is_out_of_memory(answer: Message) -> bool:
    return answer.header.get("code") == OUT_OF_MEMORY


def raise_error_in(answer: Message, *, is_video: bool) -> None:
    """Raises the BadMedia that the answer names; returns when it names none."""
    if is_out_of_memory(answer):
        too_large = VideoTooLarge if is_video else MediaTooLarge
        raise too_large("decoding needs more memory than the limit")
    code = answer.header.get("code")
    if code is None:
        return
    error = _ERRORS.get(code) if isinstance(code, str) else None
    if error is None:
        raise nonsense()
    raise error(str(answer.header.get("detail"))[:_MAX_DETAIL_CHARACTERS])


def facts_of(answer: Message, *, max_pixels: int) -> MediaFacts:
    """The facts in a successful answer. Raises DecoderCrashed when they can't be true."""
    document = answer.header.get("facts")
    try:
        facts = facts_from_json(document if isinstance(document, dict) else {})
    except ValueError as error:
        raise nonsense() from error
    if facts.size.pixels > max_pixels:
        raise nonsense()
    return facts


def nonsense() -> DecoderCrashed:
    return DecoderCrashed("the decode process answered nonsense about this file")
