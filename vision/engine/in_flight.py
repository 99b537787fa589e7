"""The units one worker holds right now, and what is known of their items so far."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Self
from uuid import UUID

from vision.domain.job import ItemResult, Lease, UnitResult
from vision.domain.provenance import Provenance
from vision.engine.progress import Progress


class LeaseKey(NamedTuple):
    """One claim of one unit: a later claim of the same unit is another."""

    job_id: UUID
    item: int
    chunk: int
    attempt: int

    @classmethod
    def of(cls, lease: Lease) -> Self:
        return cls(lease.job_id, lease.item, lease.chunk, lease.attempt)


@dataclass(slots=True)
class _Unit:
    lease: Lease
    results: dict[int, ItemResult] = field(default_factory=dict)
    provenance: Provenance | None = None
    is_started: bool = False

    def result(self) -> UnitResult | None:
        """None while items are missing."""
        if len(self.results) < len(self.lease.items):
            return None
        ordered = tuple(self.results[item.index] for item in self.lease.items)
        return UnitResult(self.lease, ordered, self.provenance)


class InFlight:
    """Claimed and not yet ended units. Safe for threads; a dropped unit's results are ignored."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._changed = threading.Condition()
        self._units: dict[LeaseKey, _Unit] = {}

    def add(self, leases: Iterable[Lease]) -> None:
        with self._changed:
            self._units.update((LeaseKey.of(lease), _Unit(lease)) for lease in leases)
        self._progress.move()

    def holds(self, lease: Lease) -> bool:
        """False once it was committed, lost, cancelled or given back."""
        return LeaseKey.of(lease) in self._units

    def start(self, lease: Lease, provenance: Provenance) -> None:
        """Its first image goes into the networks now."""
        with self._changed:
            unit = self._units.get(LeaseKey.of(lease))
            if unit is not None:
                unit.is_started, unit.provenance = True, provenance

    def note(self, lease: Lease, result: ItemResult) -> UnitResult | None:
        """The whole unit's result if this was its last item."""
        self._progress.move()
        with self._changed:
            unit = self._units.get(LeaseKey.of(lease))
            if unit is None:
                return None
            unit.results[result.index] = result
            return unit.result()

    def drop(self, lease: Lease) -> bool:
        """It ended, however; whether it was held until now."""
        with self._changed:
            unit = self._units.pop(LeaseKey.of(lease), None)
            self._changed.notify_all()
        return unit is not None

    def leases(self) -> tuple[Lease, ...]:
        with self._changed:
            return tuple(unit.lease for unit in self._units.values())

    def unstarted(self) -> tuple[Lease, ...]:
        """Those of which no image was inferred yet: little is lost when they are given back."""
        with self._changed:
            return tuple(unit.lease for unit in self._units.values() if not unit.is_started)

    def is_empty(self) -> bool:
        return not self._units

    def wait_until_empty(self, timeout_seconds: float) -> bool:
        """Whether it is empty now."""
        with self._changed:
            return self._changed.wait_for(self.is_empty, timeout_seconds)
