"""The only repair actor: idempotent, run by any process, at any time, any number of times."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from vision.errors import StorageUnavailable
from vision.storage.assets import AssetStore
from vision.storage.blobs import BlobStore
from vision.storage.jobs import JobStore
from vision.storage.units import UnitStore

log = logging.getLogger(__name__)

MAX_BELLS = 32
"""Enough to wake every worker of a large service; a bell too many costs one empty claim."""
SWEEP_EVERY_SECONDS = 3600.0
"""Listing every blob is expensive, and orphans only cost room."""
ORPHAN_AGE_SECONDS = 24 * 3600.0
"""A younger blob may belong to an upload whose row is about to be written."""
KEYS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class TickReport:
    """What one tick found and did."""

    reaped: int
    """Units whose worker was lost: ready again, or quarantined."""
    finished: int
    """Jobs whose end, or whose erasure, had been missed."""
    swept: int
    """Blobs deleted because nothing refers to them."""
    ready: int
    """Units that a worker could claim now, counted up to `MAX_BELLS`."""

    @property
    def did_something(self) -> bool:
        return bool(self.reaped or self.finished or self.swept)


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
        self._next_sweep = time.monotonic() + SWEEP_EVERY_SECONDS

    def run(self) -> TickReport:
        """Raises StorageUnavailable; whatever was done until then stays done."""
        reaped = self._units.reap(max_fails=self._max_fails)
        finished = self._units.finish_stale_jobs() + self._jobs.finish_erasures()
        ready = self._units.ready_count(limit=MAX_BELLS)
        return TickReport(reaped, finished, self._swept(), ready)

    def sweep(self, *, older_than_seconds: float = ORPHAN_AGE_SECONDS) -> int:
        """Deletes blobs of that age without an asset, and left-over uploads; how many blobs."""
        self._blobs.sweep_staging(older_than_seconds=older_than_seconds)
        oldest = time.time() - older_than_seconds
        old = (entry.key for entry in self._blobs.entries() if entry.modified_at < oldest)
        swept = 0
        while keys := tuple(islice(old, KEYS_AT_ONCE)):
            swept += self._delete_orphans(keys)
        return swept

    def _swept(self) -> int:
        """Blobs that can't be reached wait for a later tick; workers must not wait for them."""
        try:
            return self._delete_doomed() + self._sweep_when_due()
        except StorageUnavailable as error:
            log.warning("blobs not swept", extra={"error": str(error)})
            return 0

    def _sweep_when_due(self) -> int:
        if time.monotonic() < self._next_sweep:
            return 0
        self._next_sweep = time.monotonic() + SWEEP_EVERY_SECONDS
        return self.sweep()

    def _delete_doomed(self) -> int:
        """Blobs of erased assets whose deletion was interrupted."""
        keys = self._assets.doomed()
        for key in keys:
            self._blobs.delete(key)
        if keys:
            self._assets.forget(keys)
        return len(keys)

    def _delete_orphans(self, keys: Sequence[str]) -> int:
        orphans = self._assets.unreferenced(keys)
        for key in orphans:
            self._blobs.delete(key)
        return len(orphans)
