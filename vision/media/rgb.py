"""From any stored picture to upright 8-bit RGB.

Choices, so that nobody has to guess: transparency is laid on white; 16-bit values are scaled,
not clipped; 32-bit and floating-point pixels are refused, for they have no agreed range;
colour profiles are ignored.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vision.domain.image import RgbImage
from vision.errors import UnsupportedType

_BACKGROUND = (255, 255, 255)
_PIXEL = np.dtype("V3")
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0


def to_rgb(picture: Image.Image) -> Image.Image:
    """The same picture in mode RGB, as stored. Raises UnsupportedType."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray(_to_8_bits(picture)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise UnsupportedType(
            "32-bit and floating-point pixels have no agreed range; save as 8 or 16 bits"
        )
    if picture.has_transparency_data:
        return _flatten(picture.convert("RGBA"))
    if picture.mode == "RGB":
        return picture
    try:
        return picture.convert("RGB")
    except ValueError as error:
        raise UnsupportedType(f"pixels of mode {picture.mode} are not supported") from error


def upright(stored: RgbImage, orientation: int) -> RgbImage:
    """A view of the stored pixels as the camera's holder saw them; `orientation` as in EXIF."""
    if orientation in (2, 3, 7, 8):
        stored = stored[:, ::-1]
    if orientation in (3, 4, 6, 7):
        stored = stored[::-1]
    return stored.swapaxes(0, 1) if orientation >= 5 else stored


def copy_pixels(source: RgbImage, target: RgbImage) -> None:
    """Into an array of equal shape; whole pixels at a time, which is faster for turned views."""
    np.copyto(target.view(_PIXEL), source.view(_PIXEL))


def _flatten(picture: Image.Image) -> Image.Image:
    alpha = picture.getchannel("A")
    opaque = picture.convert("RGB")
    if alpha.getextrema() == (255, 255):
        return opaque
    page = Image.new("RGB", picture.size, _BACKGROUND)
    page.paste(opaque, mask=alpha)
    return page


def _to_8_bits(picture: Image.Image) -> NDArray[np.uint8]:
    """(height, width) uint8 from a picture of 16-bit numbers."""
    tags = getattr(picture, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
    scale = _scale(bits if 8 < bits <= 16 else 16)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        scale = 255 - scale
    eight: NDArray[np.uint8] = scale[np.asarray(picture)]
    return eight


@cache
def _scale(bits: int) -> NDArray[np.uint8]:
    """(65536,) uint8: where each value of so many bits lies between black and white."""
    peak = (1 << bits) - 1
    values = np.arange(1 << 16, dtype=np.uint32).clip(max=peak)
    return ((values * 255 + peak // 2) // peak).astype(np.uint8)
