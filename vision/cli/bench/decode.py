"""JPEG decoding in the separate process, against Pillow in this one."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from vision.cli.bench.measure import Figure, at_least, interleaved
from vision.cli.bench.pictures import jpeg
from vision.domain.image import ImageSize, RgbImage
from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits

SIZE = ImageSize(width=1920, height=1080)
PICTURES = 8
TARGET = 1.4
LIMITS = DecodeLimits(max_pixels=100_000_000, seconds=20, memory_bytes=2 << 30)


def run() -> list[Figure]:
    """Raises ValueError when a pixel differs: speed with other pixels is no speed."""
    files = [jpeg(SIZE, seed=seed) for seed in range(PICTURES)]
    with DecodeProcess(LIMITS) as process:
        _require_equal_pixels(files, process)
        seconds = interleaved(
            {
                "ours": lambda: [process.decode(file).image for file in files],
                "pillow": lambda: [_by_pillow(file) for file in files],
            }
        )
    ratio = seconds["pillow"] / seconds["ours"]
    return [
        at_least(
            "JPEG decode, 1080p, in its own process; pixels equal",
            ours=f"{PICTURES / seconds['ours']:.0f} images/s",
            reference=f"Pillow in this process: {PICTURES / seconds['pillow']:.0f} images/s",
            ratio=ratio,
            target=TARGET,
        )
    ]


def _by_pillow(file: bytes) -> RgbImage:
    with Image.open(io.BytesIO(file), formats=["JPEG"]) as opened:
        return np.asarray(opened)


def _require_equal_pixels(files: Sequence[bytes], process: DecodeProcess) -> None:
    for file in files:
        if not np.array_equal(process.decode(file).image, _by_pillow(file)):
            raise ValueError("the decode process gave other pixels than Pillow")
