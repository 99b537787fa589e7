"""What is read of a video beside its chunks, and what is cut out of a frame."""

from fractions import Fraction

import numpy as np
import pytest
from video_workshop import HEIGHT, WIDTH, picture

from vision.domain.image import ImageSize
from vision.domain.media import MediaFacts, MediaKind
from vision.domain.video import FrameIndex, VideoIndex, WantedFrame
from vision.engine.video_crops import cropped
from vision.engine.video_pieces import single_frames, stretch

FACTS = MediaFacts(MediaKind.VIDEO, "video/mp4", ImageSize(WIDTH, HEIGHT))


def index_with_keyframes_at(*positions: int, frames: int = 30, first_pts: int = -4) -> VideoIndex:
    is_keyframe = np.isin(np.arange(frames), positions)
    pts = np.arange(frames, dtype=np.int64) * 2 + first_pts
    return VideoIndex(FACTS, FrameIndex(Fraction(1, 50), pts, is_keyframe), frames, None)


def test_single_frames_are_reached_from_the_keyframe_before() -> None:
    index = index_with_keyframes_at(0, 10, 20)

    chunk = single_frames(index, np.array([9, 10, 25]))

    assert chunk.wanted == (
        WantedFrame(14, 9, -4),
        WantedFrame(16, 10, 16),
        WantedFrame(46, 25, 36),
    )
    assert (chunk.start_pts, chunk.first_index, chunk.frames) == (-4, 0, 3)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        pytest.param((0, 30), (-4, None, 0, 30), id="all"),
        pytest.param((10, 20), (16, 36, 10, 10), id="from keyframe to keyframe"),
        pytest.param((13, 17), (16, 30, 10, 7), id="from the middle of a group"),
    ],
)
def test_a_stretch_begins_at_a_keyframe(
    bounds: tuple[int, int], expected: tuple[int, int | None, int, int]
) -> None:
    chunk = stretch(index_with_keyframes_at(0, 10, 20), start=bounds[0], stop=bounds[1])

    assert (chunk.start_pts, chunk.end_pts, chunk.first_index, chunk.frames) == expected


def test_frames_before_the_first_keyframe_are_reached_from_the_first_frame() -> None:
    chunk = single_frames(index_with_keyframes_at(5), np.array([2]))

    assert chunk.wanted == (WantedFrame(0, 2, -4),)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        pytest.param((20, 10, 40, 30), (24, 24), id="inside, with a margin"),
        pytest.param((0, 0, WIDTH, HEIGHT), (HEIGHT, WIDTH), id="the whole frame"),
        pytest.param((120, 50, 140, 70), (16, 10), id="over the border"),
        pytest.param((30.2, 20.2, 30.4, 20.4), (1, 1), id="less than a pixel"),
        pytest.param((500, 500, 510, 510), (1, 1), id="outside"),
    ],
)
def test_a_crop_is_what_lies_in_the_box(
    box: tuple[float, float, float, float], expected: tuple[int, int]
) -> None:
    assert cropped(picture(0), box).shape[:2] == expected
