"""What the decode process answered about a video, believed only as far as it can be checked."""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from vision.domain.image import RgbImage
from vision.domain.video import Chunk, Frame, FrameIndex, VideoIndex
from vision.media.decode_answer import facts_of, nonsense
from vision.media.limits import DecodeLimits
from vision.media.wire import Message

NOT_COUNTED = -1
_MAX_TEXT_CHARACTERS = 500
_PTS_BYTES = np.dtype(np.int64).itemsize


def index_of(answer: Message, limits: DecodeLimits) -> VideoIndex:
    """Raises DecoderCrashed when it can't be true."""
    facts = facts_of(answer, max_pixels=limits.max_pixels)
    count, rest = divmod(len(answer.body), _PTS_BYTES + 1)
    declared = answer.header.get("frames_declared")
    if rest or not 0 < count <= limits.max_video_frames or not isinstance(declared, int):
        raise nonsense()
    pts = np.frombuffer(answer.body, np.int64, count).copy()
    keys = np.frombuffer(answer.body, np.uint8, count, count * _PTS_BYTES) != 0
    if (pts[1:] < pts[:-1]).any():
        raise nonsense()
    damage = answer.header.get("damage")
    return VideoIndex(
        facts=facts,
        frames=FrameIndex(time_base_of(answer), pts, keys),
        frames_declared=min(max(declared, count), limits.max_video_frames),
        damage=None if damage is None else str(damage)[:_MAX_TEXT_CHARACTERS],
    )


def still_of(answer: Message, image: RgbImage) -> Frame:
    """Raises DecoderCrashed when it can't be true."""
    seconds = seconds_at(_integer(answer.header, "pts"), time_base_of(answer))
    return Frame(image=image, frame_index=NOT_COUNTED, pts_seconds=seconds)


def place_of(answer: Message, chunk: Chunk, *, after: int) -> tuple[int, float]:
    """Frame index and time of the next frame of a chunk, later than index `after`. Raises
    DecoderCrashed when it can't be true."""
    index, pts = _integer(answer.header, "index"), _integer(answer.header, "pts")
    is_in_time = chunk.start_pts <= pts and (chunk.end_pts is None or pts < chunk.end_pts)
    if index <= after or index < chunk.first_index or not is_in_time:
        raise nonsense()
    return index, seconds_at(pts, chunk.time_base)


def damage_of(answer: Message) -> str | None:
    damage = answer.header.get("damage")
    return None if damage is None else str(damage)[:_MAX_TEXT_CHARACTERS]


def seconds_at(pts: int, time_base: Fraction) -> float:
    """The same float64 as `pts_to_seconds` gives."""
    return float(pts) * time_base.numerator / time_base.denominator


def time_base_of(answer: Message) -> Fraction:
    """Raises DecoderCrashed when it can't be true."""
    document = answer.header.get("time_base")
    if not isinstance(document, list) or len(document) != 2:
        raise nonsense()
    numerator, denominator = document
    if not isinstance(numerator, int) or not isinstance(denominator, int):
        raise nonsense()
    if numerator < 1 or denominator < 1:
        raise nonsense()
    return Fraction(numerator, denominator)


def _integer(document: Mapping[str, object], name: str) -> int:
    value = document.get(name)
    if not isinstance(value, int):
        raise nonsense()
    return value
