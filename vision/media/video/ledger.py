"""What went into the decoder and hasn't come out: tells each frame's place, and what to distrust.

FFmpeg conceals damage: it fills holes with what was there before, and goes on from the result. A
frame like that shows what never was, so all that may build on damage is kept back, up to the next
keyframe: whatever is fed after the damage and before the keyframe, and what is fed after the
keyframe but shown before it.
"""

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush

from av.video.frame import VideoFrame

from vision.media.video.packet import VideoPacket

_REMEMBERED_KEYS = 64
"""More than any decoder holds back."""


@dataclass(slots=True)
class Fed:
    """A packet that the decoder has; ordered by the time of its frame."""

    pts: int
    order: int
    """Its place among the packets fed, from 0."""
    is_key: bool
    index: int | None = None
    """The frame's place in the whole video, once it came out."""
    is_tainted: bool = False
    is_leading: bool = False
    """Shown before the keyframe that was fed before it."""

    def __lt__(self, other: "Fed") -> bool:
        return (self.pts, self.order) < (other.pts, other.order)


class Ledger:
    """Of the frames with start <= PTS < stop, decoded from one keyframe on."""

    def __init__(self, start: int, stop: int | None, *, first_index: int) -> None:
        self._start, self._stop = start, stop
        self._next_index = first_index
        self._fed = 0
        self._waiting: list[Fed] = []
        self._keys: deque[Fed] = deque(maxlen=_REMEMBERED_KEYS)
        self._begin: int | None = None
        self._leading_until: int | None = None
        self._is_broken = False
        self.is_past_stop = False
        """A frame came out that is shown after all of ours."""
        self.lost: list[int] = []
        """PTS of frames of ours that never came out, or came out damaged."""

    def feed(self, packet: VideoPacket) -> None:
        """Before the decoder gets the packet."""
        assert packet.pts is not None  # see VideoSource.packets
        if self._begin is None and packet.is_keyframe:
            self._begin = packet.pts
        elif self._begin is not None and packet.pts < self._begin <= self._start:
            return  # leads a keyframe from which we began: what it refers to was never fed
        fed = Fed(packet.pts, self._fed, packet.is_keyframe)
        self._fed += 1
        self._judge(fed)
        heappush(self._waiting, fed)

    def come_out(self, frame: VideoFrame) -> Fed | None:
        """The packet whose frame this is; those passed over are lost. None for no packet's."""
        pts = frame.pts
        if pts is None:
            return None
        self.is_past_stop |= self._stop is not None and pts >= self._stop
        while self._waiting and self._waiting[0].pts < pts:
            self._lose(heappop(self._waiting))
        if not self._waiting or self._waiting[0].pts > pts:
            return None
        return self._counted(heappop(self._waiting))

    def end(self) -> None:
        """Nothing more comes out."""
        while self._waiting:
            self._lose(heappop(self._waiting))

    def broke(self, damaged: Fed | None = None) -> None:
        """The decoder stumbled over this packet; None is the last one fed."""
        order = self._fed - 1 if damaged is None else damaged.order
        key = next((one for one in self._keys if one.order > order), None)
        for fed in self._waiting:
            is_after = fed.order >= order
            fed.is_tainted |= is_after and (key is None or fed.order < key.order or fed < key)
        if key is None:
            self._is_broken = True
        else:
            self._lead_until(key.pts)

    def skip(self) -> None:
        """A packet was there that nobody could read, so the decoder doesn't get it."""
        self._is_broken = True

    def is_ours(self, pts: int) -> bool:
        return self._start <= pts and (self._stop is None or pts < self._stop)

    def _judge(self, fed: Fed) -> None:
        if fed.is_key:
            if self._is_broken:
                self._lead_until(fed.pts)
            self._is_broken = False
            self._keys.append(fed)
            return
        fed.is_leading = bool(self._keys) and fed.pts < self._keys[-1].pts
        is_led = self._leading_until is not None and fed.pts < self._leading_until
        fed.is_tainted = self._is_broken or is_led

    def _lead_until(self, pts: int) -> None:
        before = self._leading_until
        self._leading_until = pts if before is None else max(pts, before)

    def _lose(self, fed: Fed) -> None:
        if self.is_ours(self._counted(fed).pts):
            self.lost.append(fed.pts)
        # Nothing that is shown later refers to a picture that leads its keyframe.
        if not fed.is_leading:
            self.broke(fed)

    def _counted(self, fed: Fed) -> Fed:
        if self.is_ours(fed.pts):
            fed.index = self._next_index
            self._next_index += 1
        return fed
