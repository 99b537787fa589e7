"""A place among a video's packets that can be moved to a keyframe."""

from collections.abc import Callable, Iterator
from typing import Final

from vision.media.video.packet import VideoPacket
from vision.media.video.source import VideoSource

_SEEK_AHEAD_SECONDS: Final = 10
"""Nearer than that, passing over the packets costs less than a seek and what it reads twice."""
_BACK_SECONDS: Final = (0, 1, 10)
"""So much earlier it is tried when a seek ended behind its keyframe."""


class PacketCursor:
    """Every packet is given once, in the order of the file, from the last move on."""

    def __init__(self, source: VideoSource, *, beat: Callable[[], None]) -> None:
        self._source, self._beat = source, beat
        self._packets = source.packets()
        self._put_back: VideoPacket | None = None
        self._passed_dts: int | None = None

    def __iter__(self) -> Iterator[VideoPacket]:
        return self

    def __next__(self) -> VideoPacket:
        self._beat()
        packet, self._put_back = self._put_back or next(self._packets), None
        if packet.dts is not None:
            self._passed_dts = packet.dts
        return packet

    def put_back(self, packet: VideoPacket) -> None:
        """It comes next, once more."""
        self._put_back = packet

    def to_keyframe(self, pts: int) -> None:
        """The next packet is that keyframe; the file's first one if it can't be found."""
        for is_there in self._approaches(pts):
            if is_there and self._skip_to(pts):
                return
        self.to_start()

    def to_keyframe_before(self, pts: int) -> None:
        """The next packet is an earlier keyframe, or the file's first packet."""
        self._sought(pts - 1)
        for packet in self:
            if packet.is_keyframe:
                if packet.pts is not None and packet.pts < pts:
                    return self.put_back(packet)
                break
        return self.to_start()

    def to_start(self) -> None:
        if not self._source.is_at_start:
            # Not every container can seek to its beginning; opening it again always works.
            self._source.reopen(threads=self._source.threads)
            self._restart()

    def _approaches(self, pts: int) -> Iterator[bool]:
        """Ways to get somewhere before the keyframe, each already gone when it is yielded."""
        yield self._is_near(pts)
        for seconds in _BACK_SECONDS:
            yield self._sought(pts - int(seconds / self._source.time_base))
        self.to_start()
        yield True

    def _is_near(self, pts: int) -> bool:
        ahead = None if self._passed_dts is None else pts - self._passed_dts
        limit = _SEEK_AHEAD_SECONDS / self._source.time_base
        return ahead is not None and 0 <= ahead < limit

    def _sought(self, pts: int) -> bool:
        if not self._source.seek(pts):
            return False
        self._restart()
        return True

    def _restart(self) -> None:
        self._packets = self._source.packets()
        self._put_back = self._passed_dts = None

    def _skip_to(self, pts: int) -> bool:
        """Passes over packets until the keyframe is next; False once it can't come any more."""
        for packet in self:
            assert packet.pts is not None  # see VideoSource.packets
            if packet.is_keyframe and packet.pts >= pts:
                self.put_back(packet)
                return packet.pts == pts
            if packet.dts is not None and packet.dts > pts:
                return False
        return False
