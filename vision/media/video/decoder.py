"""Packets to frames; what FFmpeg says about damage becomes an answer instead of an exception."""

from dataclasses import dataclass

import av
from av.video.frame import VideoFrame

from vision.media.video.packet import VideoPacket
from vision.media.video.source import VideoSource


@dataclass(frozen=True, slots=True)
class Output:
    """What came out at one step."""

    frames: tuple[VideoFrame, ...]
    """In order of presentation."""
    is_broken: bool
    """The decoder gave up on something."""


class FrameDecoder:
    """The decoder of an open source, whichever is open at the moment."""

    def __init__(self, source: VideoSource) -> None:
        self._source = source

    @property
    def delay(self) -> int:
        """Frames that may be held back because others are shown before them."""
        return self._context.reorder_depth

    def feed(self, packet: VideoPacket) -> Output:
        return self._decode(packet)

    def finish(self) -> Output:
        """All that is still held back; after that only `restart` helps."""
        return self._decode(None)

    def restart(self) -> None:
        """For packets from another place."""
        # A flush makes H.264 forget how far frames are reordered, and then it drops some.
        depth = self._context.reorder_depth
        self._context.flush_buffers()
        self._context.reorder_depth = max(depth, self._context.reorder_depth)

    @property
    def _context(self) -> "av.VideoCodecContext":
        return self._source.stream.codec_context

    def _decode(self, packet: VideoPacket | None) -> Output:
        try:
            return Output(tuple(self._context.decode(packet)), is_broken=False)
        except MemoryError:
            raise
        except EOFError:  # twice finished
            return Output((), is_broken=False)
        except av.FFmpegError:
            return Output((), is_broken=True)
