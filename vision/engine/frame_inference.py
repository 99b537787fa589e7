"""Frames of chunks through the networks: one way through for each chunk, kept while it lasts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from vision.domain.job import ItemFailure, Lease
from vision.domain.video import Chunk, Frame, FrameFindings
from vision.engine.batch_run import CHUNK_BROKE, Outcome, Trouble, attempted, run_batch
from vision.engine.conveyor import ChunkBegun, ChunkRead, DecodedFrames, OfChunk
from vision.engine.in_flight import InFlight, LeaseKey
from vision.engine.outcomes import Outcomes
from vision.engine.station import RunsImages
from vision.pipelines.frames_run import FramesRun, StretchEnd


@dataclass(slots=True)
class _OpenChunk:
    """One of which frames are on their way."""

    lease: Lease
    chunk: Chunk
    state: bytes | None
    run: FramesRun | None = None
    """Kept only when it remembers something: it holds models, and the pool may want their room."""

    @property
    def lead_index(self) -> int | None:
        return None if self.chunk.link is None else self.chunk.link.lead_index


class FrameInference:
    """Several chunks may be open at once, from as many decode threads."""

    def __init__(
        self,
        opened: Callable[[Lease], RunsImages],
        *,
        in_flight: InFlight,
        outcomes: Outcomes,
    ) -> None:
        """`opened` gives a lease's pipeline."""
        self._opened = opened
        self._in_flight = in_flight
        self._outcomes = outcomes
        self._open: dict[LeaseKey, _OpenChunk] = {}

    def take(self, decoded: OfChunk) -> None:
        """In the order of reading. Raises VisionError for trouble of the chunk as a whole."""
        match decoded:
            case ChunkBegun(lease=lease):
                begun = _OpenChunk(lease, decoded.chunk, decoded.state)
                self._open[LeaseKey.of(lease)] = begun
            case DecodedFrames(lease=lease):
                self._infer(self._open[LeaseKey.of(lease)], decoded.frames)
            case ChunkRead(lease=lease):
                self._end(self._open.pop(LeaseKey.of(lease)), decoded)

    def forget_lost(self) -> None:
        """Chunks that are no longer held: nothing more comes of them."""
        lost = [key for key, one in self._open.items() if not self._in_flight.holds(one.lease)]
        for key in lost:
            del self._open[key]

    def _infer(self, chunk: _OpenChunk, frames: Sequence[Frame]) -> None:
        run = chunk.run or self._begin(chunk)
        if isinstance(run, Trouble):
            return self._broke(chunk.lease, run)
        outcomes = _outcomes(run, frames)
        if isinstance(outcomes, Trouble):
            return self._broke(chunk.lease, outcomes)
        pairs = zip(frames, outcomes, strict=True)
        mine = [one for one in pairs if one[0].frame_index != chunk.lead_index]
        seen = attempted(partial(run.watch, [frame for frame, _ in mine]))
        if isinstance(seen, Trouble):
            return self._broke(chunk.lease, seen)
        found, failed = _sorted_out(mine)
        self._outcomes.frames_ended(chunk.lease, found, failed=failed)

    def _begin(self, chunk: _OpenChunk) -> FramesRun | Trouble:
        pipeline = self._opened(chunk.lease)
        self._in_flight.start(chunk.lease, pipeline.provenance)
        run = attempted(partial(pipeline.open_frames, chunk.chunk, chunk.state))
        if not isinstance(run, Trouble) and run.remembers:
            chunk.run, chunk.state = run, None
        return run

    def _end(self, chunk: _OpenChunk, read: ChunkRead) -> None:
        end = StretchEnd() if chunk.run is None else attempted(chunk.run.end)
        if isinstance(end, Trouble):
            return self._broke(chunk.lease, end)
        self._outcomes.reading_ended(chunk.lease, frames=read.frames, damage=read.damage, end=end)

    def _broke(self, lease: Lease, trouble: Trouble) -> None:
        """The chunk as a whole: a session in the middle of a frame is of no use, and begins again
        with what the chunk before left."""
        self._open.pop(LeaseKey.of(lease), None)
        failure = trouble.failure(CHUNK_BROKE)
        self._outcomes.unit_broke(lease, failure, retryable=trouble.may_pass)


def _outcomes(run: FramesRun, frames: Sequence[Frame]) -> Sequence[Outcome] | Trouble:
    if run.stands_alone:
        return run_batch(run, frames)
    return attempted(partial(run.run, frames))


def _sorted_out(
    outcomes: Sequence[tuple[Frame, Outcome]],
) -> tuple[list[FrameFindings], list[tuple[int, ItemFailure]]]:
    """What was found, and what failed by frame index."""
    found: list[FrameFindings] = []
    failed: list[tuple[int, ItemFailure]] = []
    for frame, outcome in outcomes:
        if isinstance(outcome, ItemFailure):
            failed.append((frame.frame_index, outcome))
        else:
            found.append(FrameFindings(frame.frame_index, frame.pts_seconds, outcome))
    return found, failed
