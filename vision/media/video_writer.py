"""Pictures to an MP4 that browsers play and seek in.

Runs where its pixels are trusted: it encodes arrays and reads no file.
"""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias, cast

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.video.frame import PictureType
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from vision.domain.image import ImageSize, RgbImage
from vision.errors import MissingDependency, StorageFull

VideoCodec: TypeAlias = Literal["vp9", "h264"]
MEDIA_TYPE: Final = "video/mp4"

_ENCODERS: Final[Mapping[VideoCodec, str]] = {"vp9": "libvpx-vp9", "h264": "libx264"}
_OPTIONS: Final[Mapping[VideoCodec, Mapping[str, str]]] = {
    # Constant quality, one frame in and one out. 720p: 7 ms a frame on two cores.
    "vp9": {
        "deadline": "realtime",
        "cpu-used": "8",
        "row-mt": "1",
        "lag-in-frames": "0",
        "crf": "32",
        "b": "0",
    },
    # Without B-frames the file needs no edit list to begin at 0.
    "h264": {"preset": "veryfast", "crf": "23", "bf": "0", "forced-idr": "1"},
}
_THREADS: Final = 4
_KEYFRAME_SECONDS: Final = 5
"""Players seek to keyframes: this is how much they decode at most before they show a moment."""
_NO_KEYFRAMES_OF_ITS_OWN: Final = 100_000
_NOMINAL_FPS: Final = 30
"""For the encoder's own reckoning, and for how long a single picture stays; what is written are
the timestamps."""
_MIN_TICKS_PER_SECOND: Final = 10_000
_BT709, _LIMITED_RANGE = 1, 1
"""ITU-T H.273's number for matrix, primaries and transfer; FFmpeg's for 16 to 235."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class VideoWriter:
    """Writes one MP4. It can be played once the `with` block has ended, and not if that fails.

    Raises MissingDependency where FFmpeg lacks the encoder.

    The first picture is shown at 0, whatever its PTS (MP4 has no negative times, and players show
    nothing until a late start); every other one as long after it as its PTS says, exactly.
    `start_pts` says what was taken off, and so does the file's comment, in seconds.

    YUV 4:2:0 with BT.709's matrix, tagged so. Odd sizes are padded at the right and the bottom by
    a copy of the last column or row. The index is in front, so that it plays while it loads.
    """

    def __init__(
        self, path: Path, size: ImageSize, *, codec: VideoCodec, time_base: Fraction
    ) -> None:
        self.start_pts: int | None = None
        """PTS of the first picture; None before there is one."""
        self._path, self._size, self._time_base = path, size, time_base
        self._tick = _tick(time_base)
        self._ticks = int(time_base / self._tick)
        self._frame_ticks = round(1 / (_NOMINAL_FPS * self._tick))
        self._last_pts: int | None = None
        self._keyframe_pts = 0
        with _storage_errors():
            self._file = _opened(path, self._tick)
        self._stream = _stream(self._file, size, codec=codec, tick=self._tick)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        is_whole = False
        try:
            if error is None:
                self._finish()
                is_whole = True
        finally:
            if not is_whole:
                self._spoil()

    def write(self, image: RgbImage, pts: int) -> None:
        """Of the writer's size, later than the one before. Raises StorageFull, ValueError."""
        if ImageSize.of(image) != self._size:
            raise ValueError(f"the video has {self._size}, the picture {ImageSize.of(image)}")
        if self._last_pts is not None and pts <= self._last_pts:
            raise ValueError(f"PTS {pts} after {self._last_pts}: times have to ascend")
        if self.start_pts is None:
            self._begin(pts)
        frame = av.VideoFrame.from_numpy_buffer(_even(image), format="rgb24").reformat(
            format="yuv420p",
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=_LIMITED_RANGE,
        )
        frame.pict_type = self._picture_type(pts)
        self._set_time(frame, pts)
        self._mux(frame)
        self._last_pts = pts

    def _set_time(self, frame: av.VideoFrame, pts: int) -> None:
        if self._last_pts is not None:
            self._frame_ticks = (pts - self._last_pts) * self._ticks
        frame.time_base = self._tick
        frame.pts = (pts - (self.start_pts or 0)) * self._ticks

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            # Pictures stay until the next one; this is for the last: as long as the one before it.
            packet.duration = self._frame_ticks
            with _storage_errors():
                self._file.mux(packet)

    def _begin(self, pts: int) -> None:
        self.start_pts = self._keyframe_pts = pts
        seconds = float(pts * self._time_base)
        self._file.metadata["comment"] = f"0 is {seconds:.6f} s of the source"

    def _picture_type(self, pts: int) -> PictureType:
        is_first = self._last_pts is None
        if is_first or (pts - self._keyframe_pts) * self._time_base >= _KEYFRAME_SECONDS:
            self._keyframe_pts = pts
            return PictureType.I
        return PictureType.NONE

    def _finish(self) -> None:
        if self.start_pts is None:
            raise ValueError("a video has at least one picture")
        self._mux(None)
        with _storage_errors():
            self._file.close()

    def _spoil(self) -> None:
        """Leaves nothing that could be taken for the whole video."""
        # An error is on its way up already; another one would hide it.
        with suppress(av.FFmpegError, OSError):
            self._file.close()
        with suppress(OSError):
            self._path.write_bytes(b"")


def _tick(time_base: Fraction) -> Fraction:
    """A unit in which every PTS is whole and a nominal frame is more than one: libvpx wants that,
    and FFmpeg's MP4 has no coarser one either."""
    denominator = time_base.denominator
    while denominator < _MIN_TICKS_PER_SECOND:
        denominator *= 2
    return Fraction(1, denominator)


def _opened(path: Path, tick: Fraction) -> OutputContainer:
    # Durations in the file's header have a unit of their own; left alone it is a millisecond.
    options = {"movflags": "+faststart", "movie_timescale": str(tick.denominator)}
    return av.open(f"file:{path}", "w", format="mp4", container_options=options)


def _stream(
    file: OutputContainer, size: ImageSize, *, codec: VideoCodec, tick: Fraction
) -> VideoStream:
    options = dict(_OPTIONS[codec])
    try:
        stream = cast(VideoStream, file.add_stream(_ENCODERS[codec], _NOMINAL_FPS, options))
    except UnknownCodecError as error:
        raise MissingDependency(f"this build of FFmpeg has no {_ENCODERS[codec]}") from error
    stream.width, stream.height = size.width + size.width % 2, size.height + size.height % 2
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = stream.time_base = tick
    context.thread_count = _THREADS
    context.gop_size = _NO_KEYFRAMES_OF_ITS_OWN
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED_RANGE
    return stream


def _even(image: RgbImage) -> RgbImage:
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(image)


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull("the disk for the annotated video is full") from error
        raise
