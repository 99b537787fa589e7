"""What a video's header and its first frame say."""

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import Final

import av
from av.video.frame import VideoFrame

from vision.domain.image import ImageSize
from vision.domain.media import MediaFacts, MediaKind
from vision.errors import CorruptVideo, NoFrames, VideoTooLong
from vision.media.limits import DecodeLimits
from vision.media.video.display_matrix import UPRIGHT, orientation, rotation
from vision.media.video.packet import VideoPacket
from vision.media.video.pixels import Shape
from vision.media.video.source import VideoSource, require_pixels

CONTAINERS: Final = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/mp2t": "mpegts",
    "video/mpeg": "mpeg",
}
_MAX_BELIEVABLE_FPS: Final = 1000
_MICROSECONDS: Final = 1_000_000
_FIRST_PACKETS: Final = 300
"""So many are tried for a frame that can be decoded."""
_HIGH_DYNAMIC_RANGE: Final = (16, 18)
"""Of AVColorTransferCharacteristic: PQ and HLG."""


def describe(file: int, limits: DecodeLimits) -> tuple[MediaFacts, Shape]:
    """Raises NoVideoStream, NoFrames, CorruptVideo, UnsupportedCodec, VideoTooLarge,
    VideoTooLong."""
    with VideoSource(file, limits, threads=1) as source:
        require_pixels(source.announced_pixels(), limits)
        seconds, frames = header_seconds(source), header_frames(source)
        require_length(seconds=seconds, frames=frames, limits=limits)
        first = _first_frame(source)
        shape = _shape(source, first)
        stream = source.stream
        start = stream.start_time
        facts = MediaFacts(
            kind=MediaKind.VIDEO,
            media_type=source.media_type,
            size=shape.upright,
            orientation=shape.orientation,
            warnings=tuple(_warnings(source, first)),
            duration_seconds=seconds,
            average_fps=believable_fps(stream.average_rate),
            frame_count=frames,
            real_fps=believable_fps(stream.base_rate),
            start_seconds=None if start is None else float(start * source.time_base),
            container=CONTAINERS[source.media_type],
            codec=source.codec,
            rotation=rotation(shape.orientation),
        )
    return facts, shape


def require_length(*, seconds: float | None, frames: int | None, limits: DecodeLimits) -> None:
    """Raises VideoTooLong."""
    if seconds is not None and seconds > limits.max_video_seconds:
        raise VideoTooLong(
            f"the video is {seconds:.0f} s long; the limit is {limits.max_video_seconds:.0f} s"
        )
    if frames is not None and frames > limits.max_video_frames:
        raise VideoTooLong(
            f"the video has {frames} frames or more; the limit is {limits.max_video_frames}"
        )


def header_seconds(source: VideoSource) -> float | None:
    """What the header says; None where it says nothing, or what can't be."""
    stream, container = source.stream, source.container
    if stream.frames > source.size_bytes:
        return None  # some headers compute the one from the other
    if stream.duration is not None:
        seconds = float(stream.duration * source.time_base)
    elif container.duration is not None:
        seconds = container.duration / _MICROSECONDS
    else:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def header_frames(source: VideoSource) -> int | None:
    """What the header says; None where it says nothing, or more than the file has bytes."""
    frames = source.stream.frames
    return frames if 0 < frames <= source.size_bytes else None


def believable_fps(rate: Fraction | float | None) -> float | None:
    """None for what no camera delivers."""
    if rate is None or not 0 < rate <= _MAX_BELIEVABLE_FPS:
        return None
    return float(rate)


def _first_frame(source: VideoSource) -> VideoFrame | None:
    """The first that can be decoded; None when none of the first packets can."""
    tried = 0
    for packet in islice(source.packets(), _FIRST_PACKETS):
        tried += 1
        for frame in _decoded(source, packet):
            return frame
    if not tried and not source.trouble.corrupt_packets:
        raise NoFrames("the video has no frames")
    return next(_decoded(source, None), None)


def _decoded(source: VideoSource, packet: VideoPacket | None) -> Iterator[VideoFrame]:
    try:
        frames = source.stream.codec_context.decode(packet)
    except MemoryError:
        raise
    except av.FFmpegError:
        return
    yield from (frame for frame in frames if not frame.is_corrupt)


def _shape(source: VideoSource, first: VideoFrame | None) -> Shape:
    context = source.stream.codec_context
    width, height = (
        (context.width, context.height) if first is None else (first.width, first.height)
    )
    if width < 1 or height < 1:
        raise CorruptVideo("not one frame of the video can be decoded")
    require_pixels(width * height, source.limits)
    turn = UPRIGHT if first is None else orientation(first)
    return Shape(ImageSize(width=width, height=height), turn)


def _warnings(source: VideoSource, first: VideoFrame | None) -> Iterator[str]:
    ratio = source.stream.sample_aspect_ratio
    if ratio and ratio != 1:
        yield f"pixels are not square ({ratio}); pictures and boxes are in pixels as stored"
    if first is None:
        yield "the beginning of the video can't be decoded"
        return
    if first.color_trc in _HIGH_DYNAMIC_RANGE:
        yield "high dynamic range; colours are not mapped to the standard range"
    if first.interlaced_frame:
        yield "interlaced; each picture holds both fields"
