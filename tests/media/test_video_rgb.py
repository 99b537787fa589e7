"""Both ways to RGB are one way: same pixels, and nothing beside them."""

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from video_files import numbered

from vision.domain.image import ImageSize
from vision.media.rgb import upright
from vision.media.video.direct_rgb import FORMATS, direct_rgb
from vision.media.video.pixels import RgbWriter, Shape

SIZES = [(160, 120), (160, 121), (16, 2), (1008, 34), (1920, 8), (48, 1)]
ODD_SIZES = [(161, 121), (162, 90), (168, 90), (17, 33), (1, 1), (854, 48)]


@pytest.mark.skipif(direct_rgb() is None, reason="swscale can't be found on this system")
@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("value_range", [1, 2])
@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_writing_directly_gives_what_pyav_gives_and_touches_nothing_else(
    size: tuple[int, int], pixel_format: str, value_range: int, matrix: int
) -> None:
    width, height = size
    frame = VideoFrame.from_ndarray(numbered(3, width, height), format="rgb24")
    frame = frame.reformat(format=pixel_format)
    frame.colorspace, frame.color_range = matrix, value_range
    expected = frame.reformat(format="rgb24").to_ndarray()
    room = np.full(height * width * 3 + 64, 77, np.uint8)
    direct = direct_rgb()
    assert direct is not None

    direct.write(frame, room[: height * width * 3].reshape(height, width, 3))

    assert np.array_equal(room[: height * width * 3].reshape(height, width, 3), expected)
    assert (room[height * width * 3 :] == 77).all()


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("pixel_format", [*FORMATS, "yuv420p10le", "yuv444p", "gray"])
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


def test_a_writer_survives_a_change_of_format() -> None:
    direct = direct_rgb()
    if direct is None:
        pytest.skip("swscale can't be found on this system")
    for pixel_format in ("yuv420p", "nv12", "yuv420p"):
        frame = av.VideoFrame.from_ndarray(numbered(3, 64, 48), format="rgb24")
        frame = frame.reformat(format=pixel_format)
        target = np.zeros((48, 64, 3), np.uint8)
        direct.write(frame, target)
        assert np.array_equal(target, frame.reformat(format="rgb24").to_ndarray())
