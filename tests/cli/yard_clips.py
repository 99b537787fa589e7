"""Short videos of the sample yards: the camera pans, so that what is in them moves."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

YARD = Path(__file__).parents[2] / "samples" / "images" / "yard-1.jpg"
WIDTH, HEIGHT = 320, 240
FPS = 8
GOP = 4
"""Frames from one keyframe to the next: no chunk is shorter."""


def make_clip(path: Path, *, frames: int = 16, number: int = 0) -> Path:
    """An MP4 whose index comes first, so that a cut one still says how long it was.

    Each `number` has its own content.
    """
    with Image.open(YARD) as yard:
        whole = yard.convert("RGB").resize((WIDTH + 64, HEIGHT + 16))
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", FPS, options={"preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size, stream.time_base = GOP, Fraction(1, FPS)
        for index in range(frames):
            left, top = (index + number) % 64, number % 16
            picture = whole.crop((left, top, left + WIDTH, top + HEIGHT))
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_truncated_clip(path: Path, *, frames: int = 16) -> Path:
    """The index and a part of the frames."""
    whole = make_clip(path, frames=frames, number=7).read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    return path


def make_text_named_mp4(path: Path) -> Path:
    path.write_text("Dear diary, today I was renamed to a film.\n")
    return path


def seen(path: Path) -> list[np.ndarray]:
    """Every frame of a video as any player has it."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
