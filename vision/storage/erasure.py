"""Erasing on request: an asset with everything derived from it, or a whole job."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, delete, func, select, update

from vision.domain.job import ItemFailure
from vision.domain.states import ItemState, JobState
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.endings import (
    end,
    end_error,
    end_state,
    error_columns,
    finish_if_complete,
    lock_job,
)
from vision.storage.leases import is_item_of, is_unit
from vision.storage.tables import (
    assets,
    detections,
    items,
    job_counts,
    job_provenances,
    job_tags,
    jobs,
    outbox,
    units,
)

ASSETS_ERASED = ItemFailure("assets_erased", "all of its assets were erased")
ITEMS_PER_DELETE = 500
"""Detections of so many items go in one transaction: seconds, even of crowded pictures."""

_COUNTER_OF = {ItemState.DONE: jobs.c.items_done, ItemState.FAILED: jobs.c.items_failed}


def erase_asset(database: Database, connection: Connection, asset_id: UUID) -> None:
    """The caller holds the asset's row, so that no new job can refer to it."""
    query = select(items).where(items.c.asset_id == asset_id).order_by(items.c.job_id)
    for item in connection.execute(query).all():
        if lock_job(connection, item.job_id) is not None:
            # Read again: until the job was locked, a commit could change it.
            same = (items.c.job_id == item.job_id) & (items.c.item == item.item)
            _erase_item(connection, connection.execute(select(items).where(same)).one())
            _settle(database, connection, item.job_id)
    connection.execute(delete(assets).where(assets.c.id == asset_id))


def hide_job(database: Database, connection: Connection, job_id: UUID) -> None:
    """From here on nobody sees the job, claims from it or commits to it."""
    if lock_job(connection, job_id) is None:
        return
    # In the order in which a heartbeat takes several units, so that neither waits for the other.
    mine = select(units.c.item).where(units.c.job_id == job_id)
    connection.execute(mine.order_by(units.c.item, units.c.chunk).with_for_update())
    for table in (units, items, job_counts, job_provenances, job_tags, outbox):
        connection.execute(delete(table).where(table.c.job_id == job_id))
    hidden = {"erasing": True, "idempotency_key": None, "state": JobState.CANCELLED}
    ended = {**hidden, "finished_at": database.now_sql}
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(ended))


def remove_job(database: Database, job_id: UUID) -> None:
    """The rest of a hidden job, in short transactions; safe to repeat and to interrupt."""
    query = select(func.max(detections.c.item)).where(detections.c.job_id == job_id)
    with database.read() as connection:
        last = connection.execute(query).scalar_one()
    for start in range(0, 0 if last is None else last + 1, ITEMS_PER_DELETE):
        some = detections.c.item.between(start, start + ITEMS_PER_DELETE - 1)
        with database.begin() as connection:
            connection.execute(delete(detections).where(detections.c.job_id == job_id, some))
    with database.begin() as connection:
        connection.execute(delete(jobs).where(jobs.c.id == job_id))


def _erase_item(connection: Connection, item: AnyRow) -> None:
    connection.execute(delete(detections).where(_of_item(detections, item)))
    connection.execute(delete(items).where(_of_item(items, item)))
    _forget_counts(connection, item)
    _shrink_unit(connection, item)
    changed = {"items_total": jobs.c.items_total - 1}
    counter = _COUNTER_OF.get(ItemState(item.state))
    if counter is not None:
        changed[counter.name] = counter - 1
    connection.execute(update(jobs).where(jobs.c.id == item.job_id).values(changed))


def _of_item(table: Table, item: AnyRow) -> Any:
    return (table.c.job_id == item.job_id) & (table.c.item == item.item)


def _forget_counts(connection: Connection, item: AnyRow) -> None:
    mine = job_counts.c.job_id == item.job_id
    for label, count in item.counts.items():
        fewer = {
            "detections": job_counts.c.detections - count,
            "item_count": job_counts.c.item_count - 1,
        }
        labelled = mine & (job_counts.c.label == label)
        connection.execute(update(job_counts).where(labelled).values(fewer))
    connection.execute(delete(job_counts).where(mine, job_counts.c.item_count <= 0))


def _shrink_unit(connection: Connection, item: AnyRow) -> None:
    """A unit covers the items in its range that exist; with none left it goes as well."""
    covers = units.c.item + units.c.span > item.item
    mine = (units.c.job_id == item.job_id) & (units.c.item <= item.item) & covers
    for unit in connection.execute(select(units).where(mine).with_for_update()).all():
        left = connection.execute(select(items.c.item).where(is_item_of(unit)).limit(1))
        if left.one_or_none() is None:
            connection.execute(delete(units).where(is_unit(unit)))


def _settle(database: Database, connection: Connection, job_id: UUID) -> None:
    """Its state again says what is true of the items that remain."""
    job = connection.execute(select(jobs).where(jobs.c.id == job_id)).one()
    if JobState(job.state).is_final:
        if job.items_total and job.state != JobState.CANCELLED:
            state, error = end_state(job), end_error(connection, job)
            settled = {"state": state, **error_columns(error)}
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(settled))
    elif job.items_total:
        finish_if_complete(database, connection, job_id)
    else:
        end(database, connection, job, state=JobState.CANCELLED, error=ASSETS_ERASED)
