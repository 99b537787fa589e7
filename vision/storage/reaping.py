"""Repair: leases of workers that went silent, jobs whose end was missed. Any process, any time."""

from uuid import UUID

from sqlalchemy import exists, select, update

from vision.domain.job import ItemFailure
from vision.domain.states import UnitState
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.endings import finish_if_complete, lock_job
from vision.storage.failures import Patience, fail_unit
from vision.storage.leases import is_unit, lock_unit
from vision.storage.tables import JOB_OPEN, UNIT_LEASED, UNIT_NOT_RENDER, UNIT_OPEN, jobs, units

WORKER_LOST = ItemFailure("worker_lost", "the worker that had it stopped without a word")
BATCH = 200


def reap(database: Database, patience: Patience) -> int:
    """How many leases that had run out were taken back; each batch by job, its row first."""
    reaped = 0
    while expired := _expired(database):
        for job_id in dict.fromkeys(row.job_id for row in expired):
            mine = [row for row in expired if row.job_id == job_id]
            reaped += _reap_job(database, job_id, mine, patience=patience)
        if len(expired) < BATCH:
            break
    return reaped


def expire_owner(database: Database, owner_prefix: str) -> int:
    """How many leases run out now. The prefix is taken literally."""
    owned = units.c.lease_owner.startswith(owner_prefix, autoescape=True)
    over = {"lease_until": database.now_sql - 1}
    with database.begin() as connection:
        return connection.execute(update(units).where(UNIT_LEASED, owned).values(over)).rowcount


def finish_stale_jobs(database: Database) -> int:
    """Every commit and failure ends its job itself; this finds what nobody ended."""
    open_unit = exists().where(
        units.c.tenant == jobs.c.tenant, units.c.job_id == jobs.c.id, UNIT_OPEN, UNIT_NOT_RENDER
    )
    stale = select(jobs.c.id).where(JOB_OPEN, ~open_unit).limit(BATCH)
    with database.read() as connection:
        found = connection.execute(stale).scalars().all()
    finished = 0
    for job_id in found:
        with database.begin() as connection:
            if lock_job(connection, job_id) is not None:
                finished += finish_if_complete(database, connection, job_id)
    return finished


def _expired(database: Database) -> list[AnyRow]:
    with database.read() as connection:
        now = connection.execute(select(database.now_sql)).scalar_one()
        query = (
            select(units)
            .where(UNIT_LEASED, units.c.lease_until < now)
            .order_by(units.c.lease_until)
            .limit(BATCH)
        )
        return list(connection.execute(query))


def _reap_job(
    database: Database, job_id: UUID, expired: list[AnyRow], *, patience: Patience
) -> int:
    reaped = 0
    with database.begin() as connection:
        job = lock_job(connection, job_id)
        if job is None:
            return 0
        for row in expired:
            still = is_unit(row) & (units.c.attempt == row.attempt)
            over = (units.c.state == UnitState.LEASED) & (units.c.lease_until < database.now_sql)
            unit = lock_unit(connection, still & over)
            if unit is not None:
                fail_unit(
                    database, connection, job=job, unit=unit, failure=WORKER_LOST, patience=patience
                )
                reaped += 1
        if reaped:
            finish_if_complete(database, connection, job_id)
    return reaped
