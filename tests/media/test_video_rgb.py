"""Frames to upright RGB: the pixels that PyAV gives, all of them, in the memory that was given."""

import numpy as np
import pytest
from av.video.frame import VideoFrame
from video_files import numbered

from vision.domain.image import ImageSize
from vision.media.rgb import upright
from vision.media.video.pixels import RgbWriter, Shape

SIZES = [(160, 120), (160, 121), (16, 2), (1008, 34), (1920, 8), (48, 1)]
ODD_SIZES = [(161, 121), (162, 90), (168, 90), (17, 33), (1, 1), (854, 48)]


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize(
    "pixel_format", ["yuv420p", "yuvj422p", "nv12", "yuv420p10le", "yuv444p", "gray"]
)
@pytest.mark.parametrize("size", SIZES + ODD_SIZES, ids=str)
def test_frames_of_every_size_are_written_whole(
    size: tuple[int, int], pixel_format: str, orientation: int
) -> None:
    shape = Shape(ImageSize(*size), orientation)
    frame = VideoFrame.from_ndarray(numbered(3, *size), format="rgb24")
    frame = frame.reformat(format=pixel_format)
    frame.colorspace, frame.color_range = 5, 1
    expected = upright(frame.reformat(format="rgb24").to_ndarray(), orientation)
    target = np.full((shape.upright.height, shape.upright.width, 3), 77, np.uint8)

    RgbWriter(shape).write(frame, target)

    assert np.array_equal(target, expected)
