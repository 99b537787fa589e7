"""Frame indexes of videos that were never encoded."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from vision.domain.image import ImageSize
from vision.domain.media import MediaFacts, MediaKind
from vision.domain.video import FrameIndex, VideoIndex

FACTS = MediaFacts(MediaKind.VIDEO, "video/mp4", ImageSize(width=640, height=480))


def video(
    pts: Sequence[int],
    *,
    keyframes: Sequence[int] = (0,),
    time_base: Fraction = Fraction(1, 1000),
    declared: int | None = None,
) -> VideoIndex:
    """`keyframes` are positions in `pts`."""
    is_keyframe = np.zeros(len(pts), np.bool_)
    is_keyframe[list(keyframes)] = True
    frames = FrameIndex(time_base, np.array(pts, np.int64), is_keyframe)
    damage = None if declared is None else "the file ends early"
    return VideoIndex(FACTS, frames, len(pts) if declared is None else declared, damage)
