"""One chunk of a video onto the conveyor, frame by frame."""

from functools import partial
from pathlib import Path

from vision.domain.job import Lease
from vision.domain.video import Chunk, Frame
from vision.engine.backwards import BackwardReading
from vision.engine.conveyor import ChunkBegun, ChunkRead, Conveyor, DecodedFrames
from vision.engine.follow_states import FollowStates
from vision.engine.in_flight import InFlight, LeaseGone
from vision.engine.station import VideoReader
from vision.engine.video_reading import FrameReading
from vision.errors import BadMedia

MAX_LOAD_BYTES = 128 * 1024 * 1024
"""Of frames that go through the networks together: 22 of 1080p, 6 of 4K. What doesn't wait on the
conveyor yet isn't in its bound."""


class ChunkReading:
    """Shared by the decode threads."""

    def __init__(
        self,
        conveyor: Conveyor,
        *,
        in_flight: InFlight,
        states: FollowStates,
        frames_at_once: int,
    ) -> None:
        """So many frames go through the networks together: the first ones, the next ones, ..."""
        self._conveyor = conveyor
        self._in_flight = in_flight
        self._states = states
        self._frames_at_once = frames_at_once

    def read(self, reader: VideoReader, source: Path | bytes, lease: Lease) -> None:
        """Frames that came before something went wrong with the file stay.

        Raises LeaseGone, OperatorError, TemporaryError, OSError.
        """
        assert lease.plan is not None, "a chunk's unit has its plan"
        chunk = Chunk.from_json(lease.plan)
        state = None if chunk.link is None else self._states.before(lease)
        self._conveyor.put(ChunkBegun(lease, chunk, state))
        load = _Load(self._conveyor, lease, chunk, self._frames_at_once)
        kind = BackwardReading if chunk.link is not None and chunk.link.reverse else FrameReading
        on_beat = partial(self._in_flight.beat, lease)
        damage = None
        try:
            with kind(reader, source, chunk, on_beat=on_beat) as frames:
                for frame in frames:
                    load.add(frame)
            damage = frames.damage
        except BadMedia as error:
            damage = str(error)
        except BaseException:
            load.throw_away()
            raise
        load.send()
        damage = damage or _missing(chunk, load.frames)
        self._conveyor.put(ChunkRead(lease, load.frames, damage))


class _Load:
    """Frames of one chunk that go through the networks together, until they are sent."""

    def __init__(self, conveyor: Conveyor, lease: Lease, chunk: Chunk, size: int) -> None:
        self._conveyor = conveyor
        self._lease = lease
        self._lead_index = None if chunk.link is None else chunk.link.lead_index
        self._size = size
        self._frames: list[Frame] = []
        self.frames = 0
        """Added in all, a lead not counted."""

    def add(self, frame: Frame) -> None:
        """Waits for a place. Raises LeaseGone when the conveyor is closed."""
        if not self._conveyor.reserve():
            raise LeaseGone
        self._frames.append(frame)
        self.frames += frame.frame_index != self._lead_index
        if len(self._frames) == self._size or self._bytes >= MAX_LOAD_BYTES:
            self.send()

    @property
    def _bytes(self) -> int:
        return sum(frame.image.nbytes for frame in self._frames)

    def send(self) -> None:
        frames, self._frames = tuple(self._frames), []
        if frames:
            self._conveyor.put(DecodedFrames(self._lease, frames))

    def throw_away(self) -> None:
        self._conveyor.forgo(len(self._frames))
        self._frames = []


def _missing(chunk: Chunk, frames: int) -> str | None:
    if frames >= chunk.frames:
        return None
    return f"{frames} of {chunk.frames} frames between two keyframes could be decoded"
