"""Films as video files, every frame at its own time."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from samples.filming.scripts import Codec, Script

OPTIONS: Mapping[Codec, Mapping[str, str]] = {
    # B-frames: frames are stored in another order than they are shown in.
    "h264": {"preset": "slow", "crf": "27", "bf": "3", "b_strategy": "1"},
    "vp9": {"crf": "38", "b": "0", "deadline": "good", "cpu-used": "2", "row-mt": "0"},
}
KEYFRAME_EVERY = 50
# Without these bits, files have random numbers and the time of their making in them.
CONTAINER_OPTIONS = {"fflags": "+bitexact", "movflags": "+faststart"}
TURNED_DEGREES = -90
"""Counter-clockwise, like the display matrix: the player turns it to the right."""


def write_video(path: Path, script: Script, images: Iterable[NDArray[np.uint8]]) -> None:
    """Upright images, one for each time of the script. Replaces the file."""
    with av.open(path, "w", container_options=CONTAINER_OPTIONS) as container:
        stream = _stream(container, script)
        for pts, duration, image in zip(script.pts, script.durations, images, strict=True):
            frame = av.VideoFrame.from_ndarray(_stored(image, script), format="rgb24")
            frame.pts, frame.duration, frame.time_base = pts, duration, script.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _stream(container: OutputContainer, script: Script) -> VideoStream:
    options = dict(OPTIONS[script.codec])
    if script.codec == "h264":
        stream = container.add_stream("libx264", options=options)
    else:
        stream = container.add_stream("libvpx-vp9", options=options)
    sides = (script.width, script.height)
    stream.width, stream.height = sides[::-1] if script.is_turned else sides
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = script.time_base
    # 0: none is promised, players go by the times.
    stream.codec_context.framerate = Fraction(script.frames_per_second or 0)
    stream.codec_context.gop_size = KEYFRAME_EVERY
    # Encoders with several threads decide differently on machines with more cores.
    stream.codec_context.thread_count = 1
    if script.is_turned:
        stream.set_display_rotation(TURNED_DEGREES)
    return stream


def _stored(image: NDArray[np.uint8], script: Script) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.rot90(image)) if script.is_turned else image
