"""The units one worker holds right now, and what is known of them so far."""

import threading
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import NamedTuple, Self
from uuid import UUID

from vision.domain.job import ChunkResult, ItemFailure, ItemResult, Lease, UnitResult
from vision.domain.provenance import Provenance
from vision.domain.states import UnitKind
from vision.domain.stored import UnitKey
from vision.domain.video import FrameFindings
from vision.engine.progress import Progress, unobserved
from vision.engine.unit_records import (
    NOTHING_MORE,
    ChunkRecord,
    ImagesRecord,
    UnitRecord,
    record_of,
)
from vision.pipelines.frames_run import StretchEnd


class LeaseGone(Exception):
    """Raised out of long work on a unit that is no longer held: there is nothing more to tell."""


class LeaseKey(NamedTuple):
    """One claim of one unit: a later claim of the same unit is another."""

    job_id: UUID
    item: int
    chunk: int
    attempt: int

    @classmethod
    def of(cls, lease: Lease) -> Self:
        return cls(lease.job_id, lease.item, lease.chunk, lease.attempt)


class Lane(Enum):
    """Drawing goes on for hours beside the networks: neither may hide that the other hangs."""

    NETWORKS = auto()
    DRAWING = auto()

    @classmethod
    def of(cls, lease: Lease) -> "Lane":
        return cls.DRAWING if lease.kind is UnitKind.RENDER else cls.NETWORKS


class InFlight:
    """Claimed and not yet ended units. Safe for threads; a dropped unit's results are ignored."""

    def __init__(self, on_move: Callable[[], None] = unobserved) -> None:
        """`on_move` is called from any thread whenever work gets on; it is quick."""
        self._progress = {lane: Progress(on_move) for lane in Lane}
        self._changed = threading.Condition()
        self._units: dict[LeaseKey, UnitRecord] = {}
        self._is_over = False

    def add(self, leases: Sequence[Lease]) -> None:
        with self._changed:
            self._units.update((LeaseKey.of(lease), record_of(lease)) for lease in leases)
        for lease in leases:
            self._move(lease)

    def holds(self, lease: Lease) -> bool:
        """False once it was committed, lost, cancelled or given back."""
        return LeaseKey.of(lease) in self._units

    def beat(self, lease: Lease) -> None:
        """Work on it gets on. Raises LeaseGone when it is no longer held or must not go on."""
        self._move(lease)
        if self._is_over or not self.holds(lease):
            raise LeaseGone

    def interrupt(self) -> None:
        """The worker ends: what isn't finished by now stops at its next beat, still held."""
        self._is_over = True

    def start(self, lease: Lease, provenance: Provenance) -> None:
        """Its first picture goes into the networks now."""
        with self._changed:
            unit = self._units.get(LeaseKey.of(lease))
            if unit is not None:
                unit.is_started, unit.provenance = True, provenance

    def note(self, lease: Lease, result: ItemResult) -> UnitResult | ChunkResult | None:
        """The whole unit's result if this was its last item."""
        self._move(lease)
        with self._changed:
            unit = self._units.get(LeaseKey.of(lease))
            if not isinstance(unit, ImagesRecord):
                return None
            unit.results[result.index] = result
            return unit.result()

    def note_frames(
        self,
        lease: Lease,
        found: Sequence[FrameFindings],
        *,
        failed: Sequence[tuple[int, ItemFailure]],
    ) -> ChunkResult | None:
        """The whole chunk's result if these were its last frames; `failed` by frame index."""
        self._move(lease)
        with self._changed:
            unit = self._units.get(LeaseKey.of(lease))
            if not isinstance(unit, ChunkRecord):
                return None
            unit.add(found, failed)
            return unit.result()

    def end_reading(
        self,
        lease: Lease,
        *,
        frames: int,
        damage: str | None,
        end: StretchEnd = NOTHING_MORE,
    ) -> ChunkResult | None:
        """No more frames of it come. The chunk's result if all have outcomes already."""
        self._move(lease)
        with self._changed:
            unit = self._units.get(LeaseKey.of(lease))
            if not isinstance(unit, ChunkRecord):
                return None
            unit.frames_read, unit.damage, unit.end = frames, damage, end
            return unit.result()

    def count_frames(self, lease: Lease, frames_done: int) -> None:
        """For a unit whose frames don't go through the networks. Raises LeaseGone."""
        self.beat(lease)
        with self._changed:
            unit = self._units.get(LeaseKey.of(lease))
            if unit is not None:
                unit.frames_done = frames_done

    def drop(self, lease: Lease) -> bool:
        """It ended, however; whether it was held until now."""
        with self._changed:
            unit = self._units.pop(LeaseKey.of(lease), None)
            self._changed.notify_all()
        return unit is not None

    def leases(self) -> tuple[Lease, ...]:
        with self._changed:
            return tuple(unit.lease for unit in self._units.values())

    def frames_done(self) -> dict[UnitKey, int]:
        """Of the units of videos that have got on."""
        with self._changed:
            units = tuple(self._units.values())
        return {UnitKey.of(unit.lease): unit.frames_done for unit in units if unit.frames_done}

    def unstarted(self) -> tuple[Lease, ...]:
        """Those of which no picture was inferred yet: little is lost when they are given back."""
        with self._changed:
            return tuple(unit.lease for unit in self._units.values() if not unit.is_started)

    def idle_seconds(self) -> float:
        """Since the last step of whatever has stood still longest though it has something to do."""
        lanes = {Lane.of(lease) for lease in self.leases()}
        return max((self._progress[lane].idle_seconds for lane in lanes), default=0.0)

    def is_empty(self) -> bool:
        return not self._units

    def wait_until_empty(self, timeout_seconds: float) -> bool:
        """Whether it is empty now."""
        with self._changed:
            return self._changed.wait_for(self.is_empty, timeout_seconds)

    def _move(self, lease: Lease) -> None:
        self._progress[Lane.of(lease)].move()
