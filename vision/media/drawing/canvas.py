"""The picture being drawn on, and how thick things are on a picture of its size."""

import math
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vision.domain.image import ImageSize, RgbImage
from vision.media.drawing.palette import Color

Coverage: TypeAlias = NDArray[np.float32]
"""(height, width) float32: how much of each pixel a shape covers, 0 to 1."""

_LINES_ACROSS = 340
"""How many lines side by side span the picture's mean side."""
_TEXT_LINES_DOWN = 46
_MIN_LINE, _MIN_FONT = 2.0, 12


@dataclass(frozen=True, slots=True)
class Region:
    """Whole pixels of the canvas, from inside it: left and top in, right and bottom out."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def is_empty(self) -> bool:
        return self.left >= self.right or self.top >= self.bottom

    @property
    def first_row(self) -> "Region":
        return Region(self.left, self.top, self.right, self.top + 1)

    def pixel_centers(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """x as (1, width) and y as (height, 1), float32."""
        x = np.arange(self.left, self.right, dtype=np.float32) + 0.5
        y = np.arange(self.top, self.bottom, dtype=np.float32) + 0.5
        return x[None, :], y[:, None]


class Canvas:
    """Takes a copy of the pixels, and gives one back."""

    def __init__(self, image: RgbImage) -> None:
        self._picture = Image.fromarray(image)
        self._pen = ImageDraw.Draw(self._picture)
        self.size = ImageSize.of(image)
        mean_side = math.sqrt(self.size.pixels)
        self.line = max(_MIN_LINE, mean_side / _LINES_ACROSS)
        """Width of a line in pixels."""
        self.font_size = max(_MIN_FONT, round(mean_side / _TEXT_LINES_DOWN))

    def pixels(self) -> RgbImage:
        return np.array(self._picture)

    def region(self, left: float, top: float, right: float, bottom: float) -> Region:
        """The pixels touched by a rectangle, as far as they are on the canvas."""
        return Region(
            left=max(0, math.floor(left)),
            top=max(0, math.floor(top)),
            right=min(self.size.width, math.ceil(right)),
            bottom=min(self.size.height, math.ceil(bottom)),
        )

    def blend(self, color: Color, coverage: Coverage, region: Region) -> None:
        """Paints the colour where the shape covers the region, as far as it covers it.

        A coverage of one row stands for a region of equal rows.
        """
        rows = (coverage * 255 + 0.5).astype(np.uint8).tobytes()
        height = region.bottom - region.top
        size = (region.right - region.left, height)
        # Half the time of Image.fromarray, which looks at many things first.
        alpha = Image.frombuffer("L", size, rows * (height // len(coverage)), "raw", "L", 0, 1)
        self.paste(color, alpha, left=region.left, top=region.top)

    def paste(self, color: Color, alpha: Image.Image, *, left: int, top: int) -> None:
        """Paints through an 8-bit alpha picture; what hangs over the edge is cut off."""
        box = (left, top, left + alpha.width, top + alpha.height)
        self._picture.paste(color, box, alpha)

    def write(self, text: str, color: Color, *, left: float, baseline: float, font: int) -> None:
        self._pen.text((left, baseline), text, fill=color, font=typeface(font), anchor="ls")


@cache
def typeface(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own scalable font: no font has to be installed."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
