"""Units of work: claim, heartbeat, commit, release, fail, reap. The row is the queue."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import Connection, func, select

from vision.domain.job import ItemFailure, Lease, WorkResult
from vision.domain.states import JobState, UnitKind, UnitState
from vision.domain.stored import Heartbeat, UnitKey
from vision.storage import claims
from vision.storage.chains import state_key
from vision.storage.claims import claim
from vision.storage.commits import commit
from vision.storage.database import Database
from vision.storage.endings import finish_if_complete, lock_job
from vision.storage.failures import Patience, fail_unit
from vision.storage.leases import is_held, is_unwanted, leave, lock_unit, prolong
from vision.storage.reaping import expire_owner, finish_stale_jobs, reap
from vision.storage.tables import UNIT_READY, jobs, units

MAX_FAILS = 3
BACKOFF_SECONDS = 2.0
NOTHING_DONE: Mapping[UnitKey, int] = MappingProxyType({})


class UnitStore:
    """What workers and the tick do. Every change is guarded by the lease's attempt."""

    def __init__(self, database: Database, *, backoff_seconds: float = BACKOFF_SECONDS) -> None:
        """After its n-th failure a unit waits `backoff_seconds` times 2^(n-1), plus up to half."""
        self._database = database
        self._backoff_seconds = backoff_seconds

    def claim(
        self,
        owner: str,
        *,
        lease_seconds: float,
        max_images: int = 32,
        starts_jobs: bool = True,
    ) -> tuple[Lease, ...]:
        """The next work, empty when there is none: one unit, or several of equal pipeline.

        Highest priority first; within it the tenant with the fewest leased units; within that the
        oldest job. Together at most `max_images` images, but never less than one unit. A unit that
        failed before comes alone, and so does one of a video. Without `starts_jobs` their jobs are
        still queued: the caller calls that soon, when nobody waits for it.
        """
        leases: tuple[Lease, ...] | None = None
        while leases is None:
            with self._database.begin() as connection:
                leases = claim(
                    self._database,
                    connection,
                    owner=owner,
                    lease_seconds=lease_seconds,
                    max_images=max_images,
                )
        if starts_jobs:
            self.start_jobs(leases)
        return leases

    def start_jobs(self, leases: Sequence[Lease]) -> None:
        """Their jobs are running from now on, if they were queued until now."""
        claims.start_jobs(self._database, leases)

    def heartbeat(
        self,
        leases: Sequence[Lease],
        *,
        lease_seconds: float,
        frames_done: Mapping[UnitKey, int] = NOTHING_DONE,
    ) -> Heartbeat:
        """Prolongs the leases that still hold and says which were lost.

        `frames_done` is how far units about frames are, of `frames` in their plan. One that has
        just been committed, or is being committed, is not lost: a beat and a commit may cross, and
        neither waits for the other.
        """
        held: set[UnitKey] = set()
        with self._database.begin() as connection:
            for lease in sorted(leases, key=UnitKey.of):
                key = UnitKey.of(lease)
                until = {"lease_until": self._database.now_sql + lease_seconds}
                told = {"frames_done": frames_done[key]} if key in frames_done else {}
                if prolong(connection, lease, {**until, **told}):
                    held.add(key)
            stopped = _cancelled(connection, {lease.job_id for lease in leases})
        cancelled = {
            UnitKey.of(lease)
            for lease in leases
            if lease.job_id in stopped and lease.kind is not UnitKind.RENDER
        }
        lost = {UnitKey.of(lease) for lease in leases} - held - cancelled
        return Heartbeat(lost=frozenset(lost), cancelled=frozenset(cancelled))

    def state_key(self, lease: Lease) -> str | None:
        """Of a chunk of a followed video: the blob with what it begins with.

        None for the first of its chain, and when none before it has left anything.
        """
        with self._database.read() as connection:
            return state_key(connection, lease)

    def commit(self, result: WorkResult) -> bool:
        """Stores everything that came of a lease, in one transaction; False when fenced.

        Fenced: the lease went to somebody else, or its job was cancelled or deleted. Results of
        items whose asset was erased meanwhile are dropped. Raises ValueError when the result isn't
        one for the lease, StorageUnavailable when it may or may not have been stored: the caller
        commits again, and a second commit of a stored result is answered True. A blob of a fenced
        result is left to the sweep of orphans.
        """
        with self._database.begin() as connection:
            return commit(self._database, connection, result)

    def release(self, lease: Lease) -> None:
        """Back to ready at once, without counting a failure; no effect on a lost lease."""
        with self._database.begin() as connection:
            job = lock_job(connection, lease.job_id)
            unit = None if job is None else lock_unit(connection, is_held(lease))
            if job is None or unit is None:
                return
            state = UnitState.CANCELLED if is_unwanted(job, unit) else UnitState.READY
            leave(connection, unit, state, not_before=self._database.now_sql)

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
        patience = Patience(max_fails, self._backoff_seconds) if retryable else None
        with self._database.begin() as connection:
            job = lock_job(connection, lease.job_id)
            unit = None if job is None else lock_unit(connection, is_held(lease))
            if job is None or unit is None:
                return
            failure = ItemFailure(code, detail)
            fail_unit(
                self._database, connection, job=job, unit=unit, failure=failure, patience=patience
            )
            finish_if_complete(self._database, connection, lease.job_id)

    def reap(self, *, max_fails: int = MAX_FAILS) -> int:
        """Takes back leases that ran out, as retryable failures `worker_lost`; how many."""
        return reap(self._database, Patience(max_fails, self._backoff_seconds))

    def expire_owner(self, owner_prefix: str) -> int:
        """Lets the leases of owners of that prefix run out now: their process is known to be dead.

        How many; `reap` then takes them back.
        """
        return expire_owner(self._database, owner_prefix)

    def finish_stale_jobs(self) -> int:
        """Ends jobs that have no open unit and no end: a backstop, how many."""
        return finish_stale_jobs(self._database)

    def ready_count(self, *, limit: int = 1000) -> int:
        """Units that can be claimed now, counted up to `limit`."""
        with self._database.read() as connection:
            now = connection.execute(select(self._database.now_sql)).scalar_one()
            due = select(units.c.item).where(UNIT_READY, units.c.not_before <= now).limit(limit)
            query = select(func.count()).select_from(due.subquery())
            return int(connection.execute(query).scalar_one())


def _cancelled(connection: Connection, job_ids: set[UUID]) -> set[UUID]:
    query = select(jobs.c.id).where(jobs.c.id.in_(job_ids), jobs.c.state == JobState.CANCELLED)
    return set(connection.execute(query).scalars())
