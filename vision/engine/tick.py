"""The only repair actor: idempotent, run by any process, at any time, any number of times."""

from dataclasses import dataclass

from vision.storage.assets import AssetStore
from vision.storage.blobs import BlobStore
from vision.storage.jobs import JobStore
from vision.storage.units import UnitStore

MAX_BELLS = 32
"""Enough to wake every worker of a large service; a bell too many costs one empty claim."""


@dataclass(frozen=True, slots=True)
class TickReport:
    """What one tick found and did."""

    reaped: int
    """Units whose worker was lost, given back or quarantined."""
    finished: int
    """Jobs whose end had been missed."""
    swept: int
    """Blobs deleted because nothing refers to them."""
    ready: int
    """Units that a worker could claim now."""

    @property
    def bells(self) -> int:
        """How many bells ought to wait in the queue."""
        return min(self.ready, MAX_BELLS)


class Tick:
    """Reap expired leases, finish forgotten jobs, sweep orphaned blobs, count what is ready."""

    def __init__(
        self,
        units: UnitStore,
        *,
        jobs: JobStore,
        assets: AssetStore,
        blobs: BlobStore,
        max_fails: int,
    ) -> None:
        self._units = units
        self._jobs = jobs
        self._assets = assets
        self._blobs = blobs
        self._max_fails = max_fails

    def run(self) -> TickReport:
        """Raises StorageUnavailable; whatever was done until then stays done."""
        raise NotImplementedError
