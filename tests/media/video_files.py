"""Video files for tests, friendly and hostile, all made here in a moment.

Every picture carries its number, readable after lossy compression: see `number_in`.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

from vision.domain.image import RgbImage

NUMBER_BITS = 10
DARK, LIGHT = 30, 225


@dataclass(frozen=True, slots=True)
class Clip:
    """How a clip is made. The defaults are H.264 with B-frames, groups of 12 pictures, 25 fps."""

    frames: int = 30
    width: int = 160
    height: int = 120
    fps: Fraction = Fraction(25)
    pts: Sequence[int] | None = None
    """In `time_base`; None is one frame after the other."""
    time_base: Fraction | None = None
    """None is 1 / fps."""
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    gop: int = 12
    b_frames: int = 2
    options: dict[str, str] = field(default_factory=dict)
    """For the encoder."""
    muxer_options: dict[str, str] = field(default_factory=dict)
    container: str | None = None
    """FFmpeg's name of the muxer; None is told by the file's name."""
    rotation: int = 0
    """Clockwise, as a player turns it."""
    is_mirrored: bool = False
    color: tuple[int, int] | None = None
    """Matrix and range, as AVColorSpace and AVColorRange have them."""
    aspect: Fraction | None = None
    """Of a stored pixel."""


def write_clip(path: Path, clip: Clip = Clip(), **changes: object) -> Path:
    """`changes` are fields of Clip. Returns the path."""
    clip = Clip(**{**{name: getattr(clip, name) for name in Clip.__slots__}, **changes})
    return write_pictures(path, numbered_pictures(clip), clip)


def numbered_pictures(clip: Clip) -> Iterable[RgbImage]:
    return (numbered(n, clip.width, clip.height) for n in range(clip.frames))


def write_pictures(path: Path, pictures: Iterable[RgbImage], clip: Clip) -> Path:
    """The pictures in the order given, made into a file as the clip says."""
    with av.open(str(path), "w", clip.container, container_options=clip.muxer_options) as file:
        stream = file.add_stream(clip.codec, rate=clip.fps, options=_encoder_options(clip))
        _set_up(stream, clip)
        for n, picture in enumerate(pictures):
            file.mux(stream.encode(_frame(picture, n, clip)))
        file.mux(stream.encode(None))
    return path


def _encoder_options(clip: Clip) -> dict[str, str]:
    if clip.codec != "libx264":
        return dict(clip.options)
    # Without scene cuts, keyframes are where they were asked for.
    return {"preset": "veryfast", "threads": "1", "sc_threshold": "0", **clip.options}


def _set_up(stream: av.VideoStream, clip: Clip) -> None:
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = clip.width, clip.height, clip.pix_fmt
    context.time_base = stream.time_base = clip.time_base or 1 / clip.fps
    context.gop_size = clip.gop
    if clip.codec in ("libx264", "mpeg2video", "mpeg4"):
        context.max_b_frames = clip.b_frames
    if clip.color is not None:
        context.colorspace, context.color_range = clip.color
    if clip.aspect is not None:
        context.sample_aspect_ratio = clip.aspect
    if clip.rotation or clip.is_mirrored:
        stream.set_display_rotation(-clip.rotation, hflip=clip.is_mirrored)


def _frame(picture: RgbImage, n: int, clip: Clip) -> VideoFrame:
    matrix, value_range = clip.color or (None, None)
    frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(
        format=clip.pix_fmt, dst_colorspace=matrix, dst_color_range=value_range
    )
    if clip.color is not None:
        frame.colorspace, frame.color_range = clip.color
    frame.pts = n if clip.pts is None else clip.pts[n]
    frame.time_base = clip.time_base or 1 / clip.fps
    return frame


def numbered(n: int, width: int = 160, height: int = 120) -> RgbImage:
    """A picture with its number along the top, as dark and light cells, and something moving."""
    rows, columns = np.indices((height, width))
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = (columns * 200 // width + 20 + 3 * n) % 256
    picture[..., 1] = rows * 200 // height + 20
    picture[..., 2] = 120
    left = (7 * n) % max(1, width - width // 5)
    picture[height // 2 : height // 2 + height // 5, left : left + width // 5] = (240, 30, 60)
    for bit in range(NUMBER_BITS):
        picture[: height // 4, _cell(bit, width)] = LIGHT if n >> bit & 1 else DARK
    return picture


def number_in(picture: RgbImage) -> int:
    """The number of an upright, whole picture."""
    height, width = picture.shape[:2]
    rows = picture[height // 16 : height // 4 - height // 16]
    cells = (rows[:, _cell(bit, width)].mean() for bit in range(NUMBER_BITS))
    return sum(1 << bit for bit, mean in enumerate(cells) if mean > (DARK + LIGHT) / 2)


def _cell(bit: int, width: int) -> slice:
    return slice(bit * width // NUMBER_BITS, (bit + 1) * width // NUMBER_BITS)


def write_sound(path: Path, seconds: float = 1.0) -> Path:
    """A file with a sound and no pictures."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44_100)
        for start in range(0, int(seconds * 44_100), 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 44_100, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def write_nothing(path: Path) -> Path:
    """A video stream without a frame."""
    with av.open(str(path), "w") as file:
        _set_up(file.add_stream("libx264", rate=25), Clip())
        file.start_encoding()
    return path


def truncated(path: Path, share: float) -> Path:
    """A copy that ends after that share of the bytes."""
    data = path.read_bytes()
    return _sibling(path, f"truncated-{share}", data[: int(len(data) * share)])


def corrupted(
    path: Path, *, places: int, seed: int = 1, share: tuple[float, float] = (0, 1)
) -> Path:
    """A copy with so many bytes changed within a share of the file."""
    data = bytearray(path.read_bytes())
    chosen = np.random.default_rng(seed)
    first, last = (int(len(data) * one) for one in share)
    for place in chosen.integers(first, last, places):
        data[place] ^= int(chosen.integers(1, 256))
    return _sibling(path, f"corrupted-{seed}", bytes(data))


def with_edit_list(path: Path, *, skip: Fraction, clip: Clip) -> Path:
    """A copy of an MP4 whose only edit begins so many seconds later: what is before isn't shown."""
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 4
    version, entries, duration, start = struct.unpack_from(">IIIi", data, at)
    assert (version, entries) == (0, 1)
    movie_scale = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)[0]
    media_scale = struct.unpack_from(">I", data, data.index(b"mdhd") + 16)[0]
    shorter, later = int(skip * movie_scale), int(skip * media_scale)
    struct.pack_into(">Ii", data, at + 8, duration - shorter, start + later)
    return _sibling(path, "edited", bytes(data))


def write_size_change(path: Path, later: Sequence[Clip], first: Clip = Clip()) -> Path:
    """One H.264 stream whose pictures change their size on the way."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(first.codec, rate=first.fps, options=_encoder_options(first))
        _set_up(stream, first)
        start = 0
        for clip in (first, *later):
            for packet in _encoded(clip):
                packet.pts, packet.dts = packet.pts + start, packet.dts + start
                packet.stream = stream
                file.mux(packet)
            start += clip.frames
    return path


def _encoded(clip: Clip) -> Iterable[av.Packet]:
    encoder = av.CodecContext.create(clip.codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = clip.width, clip.height, clip.pix_fmt
    encoder.time_base, encoder.framerate = 1 / clip.fps, clip.fps
    encoder.gop_size, encoder.max_b_frames = clip.gop, clip.b_frames
    encoder.options = _encoder_options(clip)
    for n, picture in enumerate(numbered_pictures(clip)):
        yield from encoder.encode(_frame(picture, n, clip))
    yield from encoder.encode(None)


def _sibling(path: Path, what: str, data: bytes) -> Path:
    copy = path.with_name(f"{path.stem}-{what}{path.suffix}")
    copy.write_bytes(data)
    return copy
