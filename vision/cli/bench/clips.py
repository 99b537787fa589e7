"""A video as cameras make them: 1080p H.264 with B-frames, a keyframe every two seconds."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from vision.cli.bench.pictures import picture
from vision.domain.image import ImageSize, RgbImage

SIZE = ImageSize(width=1920, height=1080)
FPS = 30
GOP = 60
B_FRAMES = 2
BITS_PER_SECOND = 8_000_000
MARGIN = 256
"""Pixels around the picture over which the camera pans."""
GRAIN = 6
GRAINS = 8
"""Different fields of sensor noise, in turn."""


def write_clip(path: Path, *, frames: int) -> None:
    """The same clip every time, up to the encoder's version."""
    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("libx264", FPS)
        stream.width, stream.height, stream.pix_fmt = SIZE.width, SIZE.height, "yuv420p"
        context = stream.codec_context
        context.bit_rate, context.gop_size, context.max_b_frames = BITS_PER_SECOND, GOP, B_FRAMES
        context.options = {"preset": "veryfast", "sc_threshold": "0", "b-adapt": "0"}
        context.time_base = Fraction(1, FPS)
        camera = _Camera()
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(camera.shot(number), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


class _Camera:
    """Pans over one large picture; its sensor has noise."""

    def __init__(self) -> None:
        wide = ImageSize(width=SIZE.width + MARGIN, height=SIZE.height + MARGIN)
        self._scene = picture(wide, seed=1).astype(np.int16)
        self._grain = np.random.default_rng(2).integers(
            -GRAIN, GRAIN + 1, (GRAINS, SIZE.height, SIZE.width, 1), np.int16
        )

    def shot(self, number: int) -> RgbImage:
        turn = 2 * np.pi * number / 240
        x = round(MARGIN / 2 * (1 + np.sin(turn)))
        y = round(MARGIN / 2 * (1 + np.cos(turn / 2)))
        seen = self._scene[y : y + SIZE.height, x : x + SIZE.width]
        shot: NDArray[np.int16] = seen + self._grain[number % GRAINS]
        return shot.clip(0, 255).astype(np.uint8)
