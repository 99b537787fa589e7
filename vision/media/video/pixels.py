"""From a decoded frame to upright 8-bit RGB.

Choices, so that nobody has to guess: matrix and range are the frame's own; where it names none,
BT.709 for 720 lines or more and BT.601 for less, as players do; high dynamic range isn't mapped
to ours, so it looks flat; both fields of an interlaced frame are in the picture; pixels stay as
stored, even where they aren't square; a frame of another size is scaled to the video's.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from vision.domain.image import ImageSize, RgbImage
from vision.media.rgb import copy_pixels, upright

_BT709, _BT470BG = 1, 5
_MATRICES = (1, 4, 5, 6, 7, 9, 10)
"""Of AVColorSpace: BT.709, FCC, BT.601 (two names), SMPTE 240M, BT.2020 (two kinds)."""
_RGB = 0
_HD_LINES = 720


@dataclass(frozen=True, slots=True)
class Shape:
    """Of every frame that is handed out of one video."""

    stored: ImageSize
    orientation: int

    @property
    def upright(self) -> ImageSize:
        if self.orientation < 5:
            return self.stored
        return ImageSize(width=self.stored.height, height=self.stored.width)


class RgbWriter:
    """Keeps what converting needs from one frame to the next."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._reformatter = VideoReformatter()
        self._resized = 0

    def write(self, frame: VideoFrame, target: RgbImage) -> None:
        """Into an array of the upright size. Raises av.FFmpegError for pixels it can't read."""
        stored = self._shape.stored
        if (frame.width, frame.height) != (stored.width, stored.height):
            self._resized += 1
        if frame.colorspace not in _MATRICES and frame.colorspace != _RGB:
            frame.colorspace = _BT709 if frame.height >= _HD_LINES else _BT470BG
        converted = self._reformatter.reformat(
            frame, width=stored.width, height=stored.height, format="rgb24"
        )
        pixels = converted.to_ndarray()
        assert pixels.dtype == np.uint8  # of rgb24
        copy_pixels(upright(cast(RgbImage, pixels), self._shape.orientation), target)

    def remark(self) -> str | None:
        """What people should know about the pixels so far."""
        if not self._resized:
            return None
        size = self._shape.stored
        return f"{self._resized} frames of another size were scaled to {size.width} x {size.height}"
