"""Small real pictures."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

UPRIGHT = 1
TURNED_RIGHT = 6
"""EXIF orientation of a camera held upright: width and height change places."""


def picture(
    width: int = 64, height: int = 48, *, seed: int = 0, kind: str = "JPEG", **options: Any
) -> bytes:
    """A file with patches; another seed gives other bytes."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    pixels = coarse.repeat(8, 0).repeat(8, 1)[:height, :width]
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def turned_picture(width: int, height: int) -> bytes:
    """Stored lying, meant upright: `height` x `width` for people."""
    exif = Image.Exif()
    exif[0x0112] = TURNED_RIGHT
    return picture(width, height, exif=exif)
