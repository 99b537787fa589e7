"""An open video file: the one place that lets FFmpeg at untrusted bytes, and how it is walled in.

The demuxer is the one of the sniffed type, so nothing is guessed from the content; FFmpeg sees a
file object and no path; and no protocol at all may open anything else, whatever the content
names: playlists, data references, subtitle files, addresses.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from io import FileIO
from types import TracebackType
from typing import Final, Self

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from vision.errors import (
    CorruptVideo,
    NoVideoStream,
    UnsupportedCodec,
    UnsupportedType,
    VideoTooLarge,
)
from vision.media.limits import DecodeLimits
from vision.media.sniff import SNIFF_BYTES, VIDEO_TYPES, readable_type
from vision.media.video.packet import VideoPacket

CODECS: Final = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "mpeg2video", "prores")
"""What may be decoded. FFmpeg has hundreds more, and each is a door."""
_DECODERS: Final = (*CODECS, "libdav1d")
_DEMUXERS: Final = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/mp2t": "mpegts",
    "video/mpeg": "mpeg",
}
_FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg"
_WITHOUT_PTS: Final = ("video/x-msvideo", "video/mpeg")
_GENERATE_PTS: Final = 0x0001
"""AVFMT_FLAG_GENPTS, which PyAV sets."""
_NO_PROTOCOL: Final = "none"
_NOT_MOVING: Final = Disposition.attached_pic | Disposition.timed_thumbnails
_READ_BYTES: Final = 1 << 18
_MAX_ERRORS_IN_A_ROW: Final = 100
_FARTHEST_PTS: Final = 1 << 53
"""Beyond this, times are no longer exact as float64, and nobody has filmed for so long."""


@dataclass(slots=True)
class ReadingTrouble:
    """What the container could not deliver."""

    first: str | None = None
    times: int = 0
    corrupt_packets: int = 0

    def note(self, what: str) -> None:
        self.times += 1
        if self.first is None:
            self.first = what


class VideoSource:
    """One video stream of one file. A context manager."""

    def __init__(self, file: int, limits: DecodeLimits, *, threads: int = 0) -> None:
        """Keeps a copy of the descriptor. `threads` of the decoder; 0 leaves it to FFmpeg. Raises
        BadMedia."""
        self.limits = limits
        self.media_type = _video_type(file)
        self.size_bytes = os.fstat(file).st_size
        self._file = FileIO(os.dup(file))
        self._container: InputContainer | None = None
        with ExitStack() as on_failure:
            on_failure.callback(self.close)
            self.reopen(threads=threads)
            on_failure.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._close_container()
        self._file.close()

    def reopen(self, *, threads: int = 0) -> None:
        """From the beginning, with a fresh decoder. What went wrong before is forgotten."""
        self._close_container()
        self._file.seek(0)
        self.threads = threads
        self.is_at_start = True
        """Nothing was read yet but what opening reads."""
        options = {"max_pixels": str(self.limits.max_pixels)}
        self._container = _open(self._file, self.media_type, options)
        self.stream = _stream(self._container)
        self.codec = _codec(self.stream)
        self.time_base = _time_base(self.stream)
        self.trouble = ReadingTrouble()
        context = self.stream.codec_context
        self.dts_lag = _dts_lag(self.media_type, context)
        if self.dts_lag is not None:
            self._container.flags &= ~_GENERATE_PTS
        context.options = {"max_pixels": str(self.limits.max_pixels)}
        context.thread_count = threads
        context.thread_type = ThreadType.AUTO if threads != 1 else ThreadType.NONE

    @property
    def container(self) -> InputContainer:
        assert self._container is not None
        return self._container

    def announced_pixels(self) -> int:
        """Of a frame, by the header; 0 where it doesn't say."""
        context = self.stream.codec_context
        if context.width and context.height:
            return context.width * context.height
        # Beyond its limit FFmpeg forgets the size. Without one it must not decode.
        place = self._file.tell()
        self._file.seek(0)
        with _open(self._file, self.media_type, {"skip_frame": "all"}) as container:
            context = _stream(container).codec_context
            pixels = context.width * context.height
        self._file.seek(place)
        return pixels

    def seek(self, pts: int) -> bool:
        """To a keyframe near there, as the container sees it; False where it can't."""
        self.is_at_start = False
        try:
            self.container.seek(pts, stream=self.stream, backward=True)
        except (av.FFmpegError, OverflowError):
            return False
        return True

    def packets(self) -> Iterator[VideoPacket]:
        """From where the container stands to the end; each has data and a time in `pts`.

        Packets that only keep the decoder going (`is_discard`) are among them; those that the
        container knows to be incomplete are not, and are counted in `trouble`.
        """
        errors, self.is_at_start = 0, False
        while errors < _MAX_ERRORS_IN_A_ROW:
            try:
                for packet in self.container.demux(self.stream):
                    errors = 0
                    # An empty packet would tell the decoder that the stream is over.
                    if packet.size and self._is_sound(packet):
                        yield packet
                return
            except MemoryError:
                raise
            except av.FFmpegError as error:
                errors += 1
                self.trouble.note(f"the file can't be read on: {_sentence(error)}")

    def is_shown(self, packet: VideoPacket) -> bool:
        """False for what never becomes a frame of its own: cut off by an edit list, or one of
        VP8's pictures that are only for others to refer to."""
        if packet.is_discard:
            return False
        return self.codec != "vp8" or bool(memoryview(packet)[0] & 0x10)

    def _close_container(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def _is_sound(self, packet: VideoPacket) -> bool:
        if packet.pts is None or self.dts_lag is not None:
            packet.pts = packet.dts
        if packet.is_corrupt or packet.pts is None or abs(packet.pts) > _FARTHEST_PTS:
            self.trouble.corrupt_packets += 1
            self.trouble.note("a packet of the file is incomplete")
            return False
        return True


def _dts_lag(media_type: str, context: VideoCodecContext) -> int | None:
    """In AVI and MPEG-PS, presentation times are absent or belong to another frame, so frames get
    the decoding times instead, in the order in which they come out; the first one gets the
    decoding time of the packet so many packets later. None where presentation times are right.
    """
    return context.reorder_depth if media_type in _WITHOUT_PTS else None


def _video_type(file: int) -> str:
    media_type = readable_type(os.pread(file, SNIFF_BYTES, 0))
    if media_type not in VIDEO_TYPES:
        raise UnsupportedType(f"the content is {media_type}, which is no video")
    return media_type


def _open(file: FileIO, media_type: str, decoder_options: dict[str, str]) -> InputContainer:
    """The options are of the decoders that look into the stream for its size and kind."""
    try:
        return av.open(
            file,
            "r",
            format=_DEMUXERS[media_type],
            options=decoder_options,
            container_options={
                "protocol_whitelist": _NO_PROTOCOL,
                "format_whitelist": _FORMATS,
                "codec_whitelist": ",".join(_DECODERS),
            },
            metadata_errors="replace",
            buffer_size=_READ_BYTES,
            io_open=_refuse_to_open,
        )
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError, UnicodeError) as error:
        raise CorruptVideo(f"the file is not a readable video: {_sentence(error)}") from error


def _refuse_to_open(*_: object) -> None:
    raise PermissionError("a video may not open other files")


def _stream(container: InputContainer) -> VideoStream:
    """The first with moving pictures; of all others not a byte is read."""
    moving = [one for one in container.streams.video if not one.disposition & _NOT_MOVING]
    if not moving:
        raise NoVideoStream("the file holds no moving pictures")
    for stream in container.streams:
        stream.discard = Discard.default if stream is moving[0] else Discard.all
    return moving[0]


def _codec(stream: VideoStream) -> str:
    # Streams of an unknown codec have no context, whatever the type says.
    context = getattr(stream, "codec_context", None)
    name = context.codec.canonical_name if context is not None else "unknown"
    if name not in CODECS:
        raise UnsupportedCodec(f"the codec is {name}; we read {', '.join(CODECS)}")
    return str(name)


def _time_base(stream: VideoStream) -> Fraction:
    if stream.time_base is None or stream.time_base <= 0:
        raise CorruptVideo("the video has no unit of time")
    return stream.time_base


def require_pixels(pixels: int, limits: DecodeLimits) -> None:
    """Raises VideoTooLarge."""
    if pixels > limits.max_pixels:
        raise VideoTooLarge(
            f"a frame has {pixels / 1e6:.1f} megapixels; the limit is {limits.max_pixels / 1e6:.1f}"
        )


def _sentence(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
