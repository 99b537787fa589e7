"""What of a chunk is decoded in one go, and what is passed over."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from vision.domain.video import Chunk, WantedFrame
from vision.media.video.ledger import Fed

_WORTH_SKIPPING: Final = 0.3
"""Of a group of pictures; for less, emptying the decoder costs more than decoding on."""


NO_PTS: Final = 1 << 63
"""Of no frame: one more than a PTS can be."""


def never(_pts: int | None) -> bool:
    """For stretches that end by time alone."""
    return False


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a chunk that is decoded without a break: start <= PTS < stop."""

    start: int
    """Of a keyframe, or of the video's first frame."""
    stop: int | None
    first_index: int
    """Frame index at the start; counts only where every frame is wanted."""
    is_from_start: bool
    """Decoding begins with the file's first packet, whatever that is."""
    wanted: tuple[WantedFrame, ...] | None

    def wants(self, pts: int) -> bool:
        return self.wanted is None or any(one.pts == pts for one in self.wanted)

    def completion(self) -> Callable[[int | None], bool]:
        """Told the PTS of each packet that is decoded; whether all wanted ones have been by now."""
        if self.wanted is None:
            return never
        missing = {one.pts for one in self.wanted}

        def is_complete(pts: int | None) -> bool:
            missing.discard(NO_PTS if pts is None else pts)
            return not missing

        return is_complete

    def choice(self) -> "Choice":
        return Choice(self.wanted)


class Choice:
    """Which frames are wanted, from first to last."""

    def __init__(self, wanted: Iterable[WantedFrame] | None) -> None:
        self._wanted = None if wanted is None else deque(wanted)

    def index_of(self, fed: Fed) -> int | None:
        """The frame's index in the whole video; None when it isn't wanted."""
        if self._wanted is None:
            return fed.index
        while self._wanted and self._wanted[0].pts < fed.pts:
            self._wanted.popleft()
        if self._wanted and self._wanted[0].pts == fed.pts:
            return self._wanted.popleft().frame_index
        return None


def segments(chunk: Chunk) -> Iterator[Segment]:
    """In order of time; together they hold all that is wanted."""
    if chunk.wanted is None:
        yield Segment(
            chunk.start_pts, chunk.end_pts, chunk.first_index, chunk.first_index == 0, None
        )
        return
    for start, wanted in _joined(chunk.wanted):
        is_from_start = chunk.first_index == 0 and start == chunk.start_pts
        stop = wanted[-1].pts + 1
        yield Segment(start, stop, wanted[0].frame_index, is_from_start, tuple(wanted))


def _joined(wanted: Iterable[WantedFrame]) -> Iterator[tuple[int, list[WantedFrame]]]:
    """By keyframe; groups between which little could be passed over are one."""
    start, group_start, group = 0, 0, list[WantedFrame]()
    for keyframe_pts, more in groupby(wanted, key=lambda one: one.keyframe_pts):
        if group:
            passed_over = keyframe_pts - group[-1].pts
            if passed_over >= _WORTH_SKIPPING * (keyframe_pts - group_start):
                yield start, group
                group = []
        if not group:
            start = keyframe_pts
        group_start = keyframe_pts
        group = [*group, *more]
    if group:
        yield start, group
