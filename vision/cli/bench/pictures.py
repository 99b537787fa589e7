"""Pictures with the detail of photographs, made from noise of several sizes."""

import io

import numpy as np
from PIL import Image

from vision.domain.image import ImageSize, RgbImage

OCTAVES = (4, 16, 64, 256)
"""Cells across the picture; each finer one has half the contrast of the one before."""
JPEG_QUALITY = 90


def picture(size: ImageSize, *, seed: int) -> RgbImage:
    """The same picture for the same seed; 1080p at quality 90 becomes roughly half a megabyte."""
    rng = np.random.default_rng(seed)
    total = np.full((size.height, size.width, 3), 128.0, np.float32)
    for octave, cells in enumerate(OCTAVES):
        noise = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        smooth = Image.fromarray(noise).resize((size.width, size.height), Image.Resampling.BICUBIC)
        total += (np.asarray(smooth, np.float32) - 128) / 2**octave
    return np.clip(total, 0, 255).astype(np.uint8)


def jpeg(size: ImageSize, *, seed: int) -> bytes:
    """`picture` as a baseline JPEG."""
    file = io.BytesIO()
    Image.fromarray(picture(size, seed=seed)).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
