"""A mask as a translucent fill with a smooth, crisp outline."""

import math
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from vision.domain.mask import RleMask
from vision.media.drawing.canvas import Canvas
from vision.media.drawing.palette import Color
from vision.media.drawing.run_lengths import MaskCrop, crop_of

_FILL = 0.35
"""Opacity of the inside: the thing under it has to stay recognisable."""
_FINE_LINE = 2.5
"""Pixels that a line keeps when large pictures are smoothed at a lower resolution."""

_FILL_ALPHA = [round(_FILL * value) for value in range(256)]


def draw_mask(canvas: Canvas, mask: RleMask, color: Color) -> None:
    crop = crop_of(mask)
    if crop is None:
        return
    step = max(1, int(canvas.line / _FINE_LINE))
    margin = math.ceil(canvas.line) + 1
    margin += -margin % step
    padded = _padded(crop, margin=margin, step=step)
    outlined = _outlined(padded, width=canvas.line / step, step=step)
    # The fill once more, unsmoothed: nothing else is left of parts thinner than the line.
    alpha = ImageChops.lighter(outlined, padded.point(_FILL_ALPHA))
    canvas.paste(color, alpha, left=crop.left - margin, top=crop.top - margin)


def _padded(crop: MaskCrop, *, margin: int, step: int) -> Image.Image:
    """With room for the line around it, and sides that are multiples of the step."""
    height, width = crop.bitmap.shape
    tall, wide = (side + 2 * margin + -side % step for side in (height, width))
    picture = Image.new("L", (wide, tall))
    picture.paste(Image.fromarray(crop.bitmap), (margin, margin))
    return picture


def _outlined(picture: Image.Image, *, width: float, step: int) -> Image.Image:
    """Alpha of fill and outline; blurring turns the mask into a distance to its edge."""
    small = picture.reduce(step) if step > 1 else picture
    radius = width / 2
    blurred = small.filter(ImageFilter.BoxBlur(radius)).filter(ImageFilter.BoxBlur(radius))
    alpha = blurred.point(_alpha_of_blur(round(width, 2)))
    return alpha.resize(picture.size, Image.Resampling.BILINEAR) if step > 1 else alpha


@cache
def _alpha_of_blur(width: float) -> list[int]:
    """Opacity for each of the 256 values that two box blurs of radius width / 2 leave.

    Across a straight edge they leave a known curve, so the value tells the distance.
    """
    reach = width + 1
    level = np.linspace(0, 1, 256)
    inside = np.where(
        level >= 0.5, 1 - np.sqrt(2 * (1 - np.maximum(level, 0.5))), np.sqrt(2 * level) - 1
    )
    distance = inside * reach
    line = np.clip(width / 2 + 0.5 - np.abs(distance), 0, 1)
    fill = np.clip(distance + 0.5, 0, 1) * _FILL
    return [round(255 * value) for value in np.maximum(line, fill).tolist()]
