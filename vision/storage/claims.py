"""Handing out work: highest priority, then the tenant that has least, then the oldest job.

Claims lock units only, and skip those that another claim holds; they never wait for each other.
"""

import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, update

from vision.domain.job import Lease, WorkItem
from vision.domain.states import ItemState, JobState, UnitKind, UnitState
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.keys import one_of
from vision.storage.leases import NO_LEASE, is_item_of, is_unit
from vision.storage.tables import UNIT_LEASED, UNIT_READY, assets, items, jobs, tenants, units

LOOKAHEAD = 64
"""How many ready units are looked at for company; a bound on the cost of a claim."""

IN_ORDER = (units.c.job_id, units.c.item, units.c.chunk)


def claim(
    database: Database, connection: Connection, *, owner: str, lease_seconds: float, max_images: int
) -> tuple[Lease, ...] | None:
    """Leases; empty when nothing is ready; None when what was taken had been cancelled: again."""
    taken = _take(database, connection, max_images=max_images)
    if not taken:
        return ()
    leased = {
        "state": UnitState.LEASED,
        "attempt": units.c.attempt + 1,
        "lease_owner": owner,
        "lease_until": database.now_sql + lease_seconds,
    }
    chosen = update(units).where(one_of(taken, is_unit)).values(leased).returning(units)
    # The database returns them in any order.
    rows = sorted(connection.execute(chosen).all(), key=lambda row: tuple(row[:3]))
    wanting = _jobs_that_want(connection, rows)
    _cancel(connection, [row for row in rows if row.job_id not in wanting])
    return _leases(connection, [row for row in rows if row.job_id in wanting], wanting) or None


def start_jobs(database: Database, leases: Sequence[Lease]) -> None:
    """Queued to running, after the claim: a claim that waited for a job's row while it holds units
    would wait in a circle with whoever holds the job and wants the units.
    """
    started_by = {lease.job_id for lease in leases if lease.kind is not UnitKind.RENDER}
    waiting = jobs.c.id.in_(started_by) & (jobs.c.state == JobState.QUEUED)
    query = select(jobs.c.id).where(waiting).order_by(jobs.c.id)
    with database.read() as connection:
        queued = connection.execute(query).scalars().all()
    if not queued:
        return
    started = {
        "state": JobState.RUNNING,
        "started_at": func.coalesce(jobs.c.started_at, database.now_sql),
    }
    with database.begin() as connection:
        connection.execute(query.with_for_update())
        connection.execute(update(jobs).where(waiting).values(started))


def _take(database: Database, connection: Connection, *, max_images: int) -> list[AnyRow]:
    """The next unit and company for it, locked."""
    now: float = connection.execute(select(database.now_sql)).scalar_one()
    for lane in _lanes(connection, now):
        in_lane = and_(
            units.c.tenant == lane.tenant,
            units.c.priority == lane.priority,
            UNIT_READY,
            units.c.not_before <= now,
        )
        first = _lock(connection, in_lane)
        if first:
            return [*first, *_company(connection, in_lane, first[0], max_images=max_images)]
    return []


def _lanes(connection: Connection, now: float) -> list[AnyRow]:
    """Each tenant with its most urgent priority; whoever holds fewest leases first, else by lot."""
    best = (
        select(units.c.priority)
        .where(units.c.tenant == tenants.c.id, UNIT_READY, units.c.not_before <= now)
        .order_by(units.c.priority.desc())
        .limit(1)
        .scalar_subquery()
    )
    held = select(func.count()).select_from(units).where(units.c.tenant == tenants.c.id)
    leases = held.where(UNIT_LEASED).scalar_subquery()
    query = select(tenants.c.id.label("tenant"), best.label("priority"), leases.label("leases"))
    lanes = [row for row in connection.execute(query) if row.priority is not None]
    return sorted(lanes, key=lambda lane: (-lane.priority, lane.leases, random.random()))


def _lock(connection: Connection, condition: ColumnElement[bool]) -> list[AnyRow]:
    """The first unit that fits and that nobody else has locked; none or one."""
    query = select(units).where(condition).order_by(*IN_ORDER).limit(1)
    return list(connection.execute(query.with_for_update(skip_locked=True)))


def _company(
    connection: Connection, in_lane: ColumnElement[bool], first: AnyRow, *, max_images: int
) -> list[AnyRow]:
    """Images of equal pipeline that never failed, with the first at most `max_images`, locked."""
    room = max_images - first.span
    if room <= 0 or first.fails or first.kind != UnitKind.IMAGES:
        return []
    fitting = []
    for row in connection.execute(_near(in_lane, first)).all():
        if row.span <= room and tuple(row[:3]) != tuple(first[:3]):
            fitting.append(row)
            room -= row.span
    if not fitting:
        return []
    locking = select(units).where(one_of(fitting, is_unit), UNIT_READY).order_by(*IN_ORDER)
    return list(connection.execute(locking.with_for_update(skip_locked=True)))


def _near(in_lane: ColumnElement[bool], first: AnyRow) -> Select[Any]:
    """Units of images close behind, without the columns that only videos have."""
    pipeline = select(jobs.c.pipeline_sha256).where(jobs.c.id == first.job_id).scalar_subquery()
    columns = (*IN_ORDER, units.c.span, units.c.fails, units.c.kind)
    near = select(*columns).where(in_lane).order_by(*IN_ORDER).limit(LOOKAHEAD).subquery()
    return (
        select(near)
        .join(jobs, jobs.c.id == near.c.job_id)
        .where(
            jobs.c.pipeline_sha256 == pipeline,
            near.c.fails == 0,
            near.c.kind == UnitKind.IMAGES,
        )
        .order_by(near.c.job_id, near.c.item, near.c.chunk)
    )


def _jobs_that_want(connection: Connection, rows: Sequence[AnyRow]) -> dict[UUID, AnyRow]:
    """By id, the jobs that have not ended; a video is drawn for ended ones too."""
    job_ids = {row.job_id for row in rows}
    query = select(jobs.c.id, jobs.c.pipeline, jobs.c.pipeline_sha256).where(
        jobs.c.id.in_(job_ids), jobs.c.erasing.is_(False)
    )
    if rows[0].kind != UnitKind.RENDER:
        query = query.where(jobs.c.state.in_((JobState.QUEUED, JobState.RUNNING)))
    return {row.id: row for row in connection.execute(query)}


def _cancel(connection: Connection, rows: Sequence[AnyRow]) -> None:
    if rows:
        cancelled = {"state": UnitState.CANCELLED, **NO_LEASE}
        connection.execute(update(units).where(one_of(rows, is_unit)).values(cancelled))


def _leases(
    connection: Connection, rows: Sequence[AnyRow], of_jobs: dict[UUID, AnyRow]
) -> tuple[Lease, ...]:
    work = _work_items(connection, rows)
    return tuple(
        Lease(
            job_id=row.job_id,
            item=row.item,
            chunk=row.chunk,
            attempt=row.attempt,
            fails=row.fails,
            pipeline=of_jobs[row.job_id].pipeline,
            pipeline_sha256=of_jobs[row.job_id].pipeline_sha256,
            items=tuple(
                item
                for job_id, item in work
                if job_id == row.job_id and row.item <= item.index < row.item + row.span
            ),
            kind=UnitKind(row.kind),
            plan=row.plan,
            tenant=row.tenant,
        )
        for row in rows
    )


def _work_items(connection: Connection, rows: Sequence[AnyRow]) -> list[tuple[UUID, WorkItem]]:
    if not rows:
        return []
    query = (
        select(items.c.job_id, items.c.item, items.c.asset_id, assets.c.blob_key, assets.c.filename)
        .join(assets, assets.c.id == items.c.asset_id)
        .where(one_of(rows, is_item_of))
        .order_by(items.c.job_id, items.c.item)
    )
    if rows[0].kind == UnitKind.IMAGES:
        # Of a shard that runs again, those without an outcome; a video's unit is wanted as it is.
        query = query.where(items.c.state == ItemState.PENDING)
    return [
        (row.job_id, WorkItem(row.item, row.asset_id, row.blob_key, row.filename))
        for row in connection.execute(query)
    ]
