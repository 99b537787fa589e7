"""Units of work: claim, heartbeat, commit, release, fail, reap. The row is the queue."""

from collections.abc import Sequence

from vision.domain.job import Lease, UnitResult
from vision.domain.stored import Heartbeat
from vision.storage.database import Database

MAX_FAILS = 3
BACKOFF_SECONDS = 2.0


class UnitStore:
    """What workers and the tick do. Every change is guarded by the lease's attempt."""

    def __init__(self, database: Database, *, backoff_seconds: float = BACKOFF_SECONDS) -> None:
        """After its n-th failure a unit waits `backoff_seconds` times 2^(n-1), plus up to half."""
        self._database = database
        self._backoff_seconds = backoff_seconds

    def claim(self, owner: str, *, lease_seconds: float, max_images: int = 32) -> tuple[Lease, ...]:
        """The next work, empty when there is none: one unit, or several of equal pipeline.

        Highest priority first; within it the tenant with the fewest leased units; within that the
        oldest job. Together at most `max_images` images, but never less than one unit. A unit that
        failed before comes alone.
        """
        raise NotImplementedError

    def heartbeat(self, leases: Sequence[Lease], *, lease_seconds: float) -> Heartbeat:
        """Prolongs the leases that still hold and says which don't."""
        raise NotImplementedError

    def commit(self, result: UnitResult) -> bool:
        """Stores everything that came of a lease, in one transaction; False when fenced.

        Fenced: the lease went to somebody else, or its job was cancelled or deleted. Results of
        items whose asset was erased meanwhile are dropped. Raises ValueError when the items are not
        the lease's, StorageUnavailable when it may or may not have been stored: the caller commits
        again, and a second commit of a stored result is answered True.
        """
        raise NotImplementedError

    def release(self, lease: Lease) -> None:
        """Back to ready at once, without counting a failure; no effect on a lost lease."""
        raise NotImplementedError

    def fail(
        self,
        lease: Lease,
        code: str,
        detail: str,
        *,
        retryable: bool,
        max_fails: int = MAX_FAILS,
    ) -> None:
        """The work failed as a whole; no effect on a lost lease.

        Not retryable: the unit is failed and its items carry `code`. Retryable: it waits and
        runs again, split into single images if it had several, or, having failed `max_fails`
        times, is quarantined.
        """
        raise NotImplementedError

    def reap(self, *, max_fails: int = MAX_FAILS) -> int:
        """Takes back leases that ran out, as retryable failures `worker_lost`; how many."""
        raise NotImplementedError

    def expire_owner(self, owner_prefix: str) -> int:
        """Lets the leases of owners of that prefix run out now: their process is known to be dead.

        How many; `reap` then takes them back.
        """
        raise NotImplementedError

    def finish_stale_jobs(self) -> int:
        """Ends jobs that have no open unit and no end: a backstop, how many."""
        raise NotImplementedError

    def ready_count(self, *, limit: int = 1000) -> int:
        """Units that can be claimed now, counted up to `limit`."""
        raise NotImplementedError
