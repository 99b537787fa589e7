"""Frames whose packets don't say when they are shown: see `VideoSource.dts_lag`."""

from heapq import heappush

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from vision.media.video.ledger import Fed, Ledger
from vision.media.video.packet import VideoPacket


def lagging(dts: NDArray[np.int64], lag: int) -> NDArray[np.int64]:
    """(n,) int64: the times of n frames in order of presentation, from decoding times; the last
    ones go on at the last distance."""
    step = int(dts[-1] - dts[-2]) if len(dts) > 1 else 1
    return np.concatenate([dts[lag:], dts[-1] + step * np.arange(1, min(lag, len(dts)) + 1)])


class LaggingLedger(Ledger):
    """Which frame is which packet's, nobody tells. So after damage all are kept back up to a
    keyframe that comes out when the decoder must have got over it."""

    def __init__(self, start: int, stop: int | None, *, first_index: int, lag: int) -> None:
        super().__init__(start, stop, first_index=first_index)
        self._lag = lag
        self._expected = 0
        self._last_dts, self._step = 0, 1
        self._distrusted = 0
        self._waits_for_keyframe = False

    def feed(self, packet: VideoPacket) -> None:
        assert packet.pts is not None  # which is its DTS; see VideoSource.packets
        if self._fed:
            self._step = packet.pts - self._last_dts
        self._last_dts = packet.pts
        self._fed += 1
        if self._fed > self._lag:
            self._expect(packet.pts)

    def come_out(self, frame: VideoFrame) -> Fed | None:
        if frame.dts is None:  # one of the last, which no packet pushed out
            frame.dts = self._expect_one_more()
        frame.pts = frame.dts
        is_trusted = self._is_trusted(frame)
        fed = super().come_out(frame)
        if fed is not None:
            fed.is_tainted = not is_trusted
        return fed

    def end(self) -> None:
        while self._expected < self._fed:
            self._expect_one_more()
        super().end()

    def broke(self, damaged: Fed | None = None) -> None:  # noqa: ARG002 (nobody knows which)
        self._distrusted = self._lag
        self._waits_for_keyframe = True

    def skip(self) -> None:
        self.broke()

    def _expect(self, pts: int) -> None:
        heappush(self._waiting, Fed(pts, self._expected, is_key=False))
        self._expected += 1

    def _expect_one_more(self) -> int:
        self._last_dts += self._step
        self._expect(self._last_dts)
        return self._last_dts

    def _is_trusted(self, frame: VideoFrame) -> bool:
        if self._waits_for_keyframe and self._distrusted:
            self._distrusted -= 1
        elif frame.key_frame:
            self._waits_for_keyframe = False
        return not self._waits_for_keyframe
