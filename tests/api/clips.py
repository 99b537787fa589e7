"""Small real videos."""

from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from vision.domain.image import ImageSize
from vision.media.video_writer import VideoWriter

FPS = 10
WIDTH, HEIGHT = 64, 48
DARKEST = 20


def gray_at(seconds: float) -> int:
    """How bright the frame is that a clip shows then: every next one by one."""
    return DARKEST + int(seconds * FPS)


@cache
def clip(*, seconds: int = 12) -> bytes:
    """An MP4 of plain gray frames that get brighter."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        size = ImageSize(width=WIDTH, height=HEIGHT)
        with VideoWriter(path, size, codec="vp9", time_base=Fraction(1, FPS)) as writer:
            for index in range(seconds * FPS):
                gray = np.full((HEIGHT, WIDTH, 3), gray_at(index / FPS), np.uint8)
                writer.write(gray, index)
        return path.read_bytes()
