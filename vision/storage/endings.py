"""How a job ends: the one place that decides its final state. The caller holds the job's row."""

from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update
from uuid6 import uuid7

from vision.domain.job import ItemFailure
from vision.domain.states import ItemState, JobState
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.tables import UNIT_NOT_RENDER, UNIT_OPEN, items, jobs, outbox, units

JOB_FINISHED = "job.finished"
ALL_ITEMS_FAILED = "all_items_failed"


def lock_job(connection: Connection, job_id: UUID) -> AnyRow | None:
    """All columns; None when there is no such job or it is being erased."""
    query = select(jobs).where(jobs.c.id == job_id, jobs.c.erasing.is_(False))
    return connection.execute(query.with_for_update()).one_or_none()


def finish_if_complete(database: Database, connection: Connection, job_id: UUID) -> bool:
    """Ends the job when no unit is open, and announces it; whether it ended now."""
    job = connection.execute(select(jobs).where(jobs.c.id == job_id)).one()
    if JobState(job.state).is_final or _has_open_units(connection, job):
        return False
    end(database, connection, job, state=end_state(job), error=end_error(connection, job))
    return True


def end(
    database: Database,
    connection: Connection,
    job: AnyRow,
    *,
    state: JobState,
    error: ItemFailure | None = None,
) -> None:
    """Writes the end and the event that tells it."""
    ended = {"state": state, "finished_at": database.now_sql, **error_columns(error)}
    if state is not JobState.CANCELLED:
        # A short job may end before anybody wrote down that it had started.
        ended["started_at"] = func.coalesce(jobs.c.started_at, database.now_sql)
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(ended))
    event = {
        "id": uuid7(),
        "job_id": job.id,
        "event": JOB_FINISHED,
        "run": job.run,
        "payload": {"job_id": str(job.id), "state": state},
        "created_at": database.now_sql,
        "attempts": 0,
        "next_at": database.now_sql,
    }
    connection.execute(insert(outbox).values(event))


def _has_open_units(connection: Connection, job: AnyRow) -> bool:
    mine = (units.c.tenant == job.tenant) & (units.c.job_id == job.id)
    first = select(units.c.item).where(mine, UNIT_OPEN, UNIT_NOT_RENDER).limit(1)
    return connection.execute(first).one_or_none() is not None


def end_state(job: AnyRow) -> JobState:
    """By its counts; the job has at least one item."""
    if job.items_done + job.items_failed < job.items_total:
        # It was cancelled before, and opened again for what it had.
        return JobState.CANCELLED
    if job.items_failed == 0 and job.items_partial == 0:
        return JobState.SUCCEEDED
    return JobState.PARTIAL if job.items_done else JobState.FAILED


def end_error(connection: Connection, job: AnyRow) -> ItemFailure | None:
    """Only of a job that failed as a whole: its items' common error, if they have one."""
    if end_state(job) is not JobState.FAILED:
        return None
    failed = select(items.c.error_code, items.c.error_detail).where(
        items.c.job_id == job.id, items.c.state == ItemState.FAILED
    )
    first = connection.execute(failed.order_by(items.c.item).limit(1)).one()
    others = failed.where(items.c.error_code != first.error_code).limit(1)
    if connection.execute(others).one_or_none() is not None:
        return ItemFailure(ALL_ITEMS_FAILED, "every item failed; each says why")
    return ItemFailure(first.error_code, first.error_detail or "")


def error_columns(error: ItemFailure | None) -> dict[str, str | None]:
    return {
        "error_code": None if error is None else error.code,
        "error_detail": None if error is None else error.detail,
    }
