"""One chunk of a video: its wanted frames in order, and what was wrong with them."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, TypeAlias

from av.video.frame import VideoFrame

from vision.domain.video import Chunk
from vision.media.video.cursor import PacketCursor
from vision.media.video.decoder import FrameDecoder, Output
from vision.media.video.lagging import LaggingLedger
from vision.media.video.ledger import Fed, Ledger
from vision.media.video.segments import Segment, never, segments
from vision.media.video.source import VideoSource

Decoded: TypeAlias = tuple[VideoFrame, Fed]
NOTHING: Final = -1


class _Trouble(Exception):
    """Something is damaged, and the decoder was in too much of a hurry to say what."""


class ChunkReading:
    """First as fast as it goes. At the first damage the segment starts again with one thread,
    where FFmpeg tells exactly which packet is damaged; so what is handed out of a damaged file
    doesn't depend on how many processors there are."""

    def __init__(self, source: VideoSource, chunk: Chunk, *, beat: Callable[[], None]) -> None:
        """`beat` is called at each packet."""
        self._source, self._chunk, self._beat = source, chunk, beat
        self._segments = deque(segments(chunk))
        self._last_index = NOTHING
        self._is_careful = False
        self._begin()
        self._done = 0
        self._first_lost: int | None = None

    def frames(self) -> Iterator[tuple[VideoFrame, int]]:
        """The wanted frames and their indices, ascending."""
        try:
            yield from self._frames()
        except (_Trouble, MemoryError):
            self._is_careful = True
            self._source.reopen(threads=1)
            self._begin()
            yield from self._frames()

    def spoiled(self, frame: VideoFrame) -> None:
        """The last frame's pixels can't be used after all."""
        self._done -= 1
        self._lose(frame.pts or 0)

    def damage(self) -> str | None:
        """For people; None when every wanted frame could be had."""
        lost = self._chunk.frames - self._done
        if self._first_lost is None and lost <= 0:
            return None
        text = f"{max(1, lost)} of {self._chunk.frames} frames could not be decoded"
        if self._first_lost is None:
            return text
        base = self._chunk.time_base
        seconds = float(self._first_lost) * base.numerator / base.denominator
        return f"{text}, the first of them at {seconds:.3f} s"

    def _lose(self, pts: int) -> None:
        if self._first_lost is None or pts < self._first_lost:
            self._first_lost = pts

    def _begin(self) -> None:
        self._cursor = PacketCursor(self._source, beat=self._beat)
        self._decoder = FrameDecoder(self._source)

    def _frames(self) -> Iterator[tuple[VideoFrame, int]]:
        while self._segments:
            segment = self._segments[0]
            for frame, index in self._wanted(segment):
                if index > self._last_index:
                    self._last_index = index
                    self._done += 1
                    yield frame, index
            self._segments.popleft()

    def _wanted(self, segment: Segment) -> Iterator[tuple[VideoFrame, int]]:
        choice = segment.choice()
        for frame, fed in self._sound(segment):
            index = choice.index_of(fed)
            if index is not None:
                yield frame, index

    def _sound(self, segment: Segment) -> Iterator[Decoded]:
        """The segment's frames that show what was filmed. Raises _Trouble unless careful."""
        ledger = self._ledger(segment)
        self._move_to(segment)
        held: deque[Decoded] = deque()
        for output in self._outputs(segment, ledger):
            held.extend(self._sifted(output, ledger))
            while len(held) > (0 if self._is_careful else self._decoder.delay):
                yield held.popleft()
            if ledger.is_past_stop:
                break
        ledger.end()
        self._note_lost(segment, ledger)
        yield from held

    def _ledger(self, segment: Segment) -> Ledger:
        lag = self._source.dts_lag
        kind = partial(LaggingLedger, lag=lag) if lag else Ledger
        return kind(segment.start, segment.stop, first_index=segment.first_index)

    def _move_to(self, segment: Segment) -> None:
        if segment.is_from_start:
            self._cursor.to_start()
        elif self._is_careful:
            # Some keyframes only begin to be whole: what was before helps.
            self._cursor.to_keyframe_before(segment.start)
        else:
            self._cursor.to_keyframe(segment.start)
        self._decoder.restart()

    def _outputs(self, segment: Segment, ledger: Ledger) -> Iterator[Output]:
        seen = self._source.trouble.times
        # All that a frame builds on comes before it: behind the last wanted one nothing is needed.
        is_complete = segment.completion() if self._source.dts_lag is None else never
        for packet in self._cursor:
            if self._source.trouble.times != seen:
                seen = self._source.trouble.times
                self._require_careful()
                ledger.skip()
            if segment.stop is not None and packet.dts is not None and packet.dts >= segment.stop:
                self._cursor.put_back(packet)
                break
            if self._source.is_shown(packet):
                ledger.feed(packet)
            yield self._decoder.feed(packet)
            if is_complete(packet.pts):
                break
        yield self._decoder.finish()

    def _sifted(self, output: Output, ledger: Ledger) -> Iterator[Decoded]:
        if output.is_broken:
            self._require_careful()
            ledger.broke()
        for frame in output.frames:
            fed = ledger.come_out(frame)
            if fed is None or fed.index is None:
                continue
            if frame.is_corrupt:
                self._require_careful()
                ledger.broke(fed)
            if frame.is_corrupt or fed.is_tainted:
                ledger.lost.append(fed.pts)
            else:
                yield frame, fed

    def _note_lost(self, segment: Segment, ledger: Ledger) -> None:
        if ledger.lost:
            self._require_careful()
        lost = [pts for pts in ledger.lost if segment.wants(pts)]
        if lost:
            self._lose(min(lost))

    def _require_careful(self) -> None:
        if not self._is_careful:
            raise _Trouble
