"""What a job's owner may do to it: cancel, retry. The caller's transaction is one whole change."""

from uuid import UUID

from sqlalchemy import Connection, exists, select, tuple_, update

from vision.domain.states import ItemState, JobState, UnitState
from vision.errors import Conflict, NotFound
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.endings import end, error_columns, lock_job
from vision.storage.tables import items, jobs, units

NOT_STARTED = (UnitState.WAITING, UnitState.READY)
RETRIED = (UnitState.FAILED, UnitState.QUARANTINED)


def cancel(database: Database, connection: Connection, job_id: UUID) -> None:
    """Leased units stay leased until their worker hears of it; their commits are refused."""
    job = _locked(connection, job_id)
    if JobState(job.state).is_final:
        return
    # Locked ones are being claimed this moment: the claim looks at the job after taking them.
    open_units = (
        select(units.c.item, units.c.chunk)
        .where(units.c.job_id == job_id, units.c.state.in_(NOT_STARTED))
        .with_for_update(skip_locked=True)
    )
    found = (units.c.job_id == job_id) & tuple_(units.c.item, units.c.chunk).in_(open_units)
    connection.execute(update(units).where(found).values(state=UnitState.CANCELLED))
    pending = (items.c.job_id == job_id) & (items.c.state == ItemState.PENDING)
    connection.execute(update(items).where(pending).values(state=ItemState.CANCELLED))
    end(database, connection, job, state=JobState.CANCELLED)


def retry(database: Database, connection: Connection, job_id: UUID) -> None:
    """Raises Conflict for a job that runs, was cancelled or has nothing to retry."""
    job = _locked(connection, job_id)
    if not JobState(job.state).is_final or job.state == JobState.CANCELLED:
        raise Conflict(f"job {job_id} is {job.state}; only an ended job is retried")
    reopened = _reopen_items(connection, job_id)
    if reopened == 0:
        raise Conflict(f"job {job_id} has no failed or quarantined unit")
    ready = {"state": UnitState.READY, "fails": 0, "not_before": database.now_sql}
    chosen = (units.c.job_id == job_id) & units.c.state.in_(RETRIED)
    connection.execute(update(units).where(chosen).values({**ready, **error_columns(None)}))
    changed = {
        "state": JobState.QUEUED,
        "finished_at": None,
        "items_failed": job.items_failed - reopened,
        "run": job.run + 1,
        **error_columns(None),
    }
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(changed))


def _reopen_items(connection: Connection, job_id: UUID) -> int:
    """Failed items of failed units only: a bad file in a finished unit stays bad."""
    in_failed_unit = exists().where(
        units.c.job_id == job_id,
        units.c.state.in_(RETRIED),
        items.c.item >= units.c.item,
        items.c.item < units.c.item + units.c.span,
    )
    chosen = (items.c.job_id == job_id) & (items.c.state == ItemState.FAILED) & in_failed_unit
    values = {"state": ItemState.PENDING, **error_columns(None)}
    return connection.execute(update(items).where(chosen).values(values)).rowcount


def _locked(connection: Connection, job_id: UUID) -> AnyRow:
    job = lock_job(connection, job_id)
    if job is None:
        raise NotFound(f"no job {job_id}")
    return job
