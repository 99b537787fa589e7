"""Erasing on request: an asset with everything derived from it, or a whole job."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, delete, exists, select, tuple_, update

from vision.domain.job import ItemFailure
from vision.domain.states import ItemState, JobState
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.derived_blobs import doom_derived, of_item
from vision.storage.endings import (
    end,
    end_error,
    end_state,
    error_columns,
    finish_if_complete,
    lock_job,
)
from vision.storage.finding_tables import classifications, embeddings
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
from vision.storage.track_results import tracks_of
from vision.storage.video_endings import NO_SHARE, SHARES
from vision.storage.video_tables import chunk_frames, derived_blobs, tracks

ASSETS_ERASED = ItemFailure("assets_erased", "all of its assets were erased")
MANY_ROWS = (detections, classifications, embeddings)
ROWS_PER_DELETE = 50_000
"""So many detections go in one transaction: a second or so."""
VECTORS_PER_DELETE = 10_000
"""Rows of some kB each."""
SUMS = ("frames_total", "frames_done", "seconds_total", "seconds_done")


def erase_asset(database: Database, connection: Connection, asset_id: UUID) -> tuple[str, ...]:
    """The caller holds the asset's row, so that no new job can refer to it.

    Returns the keys of blobs that were made from it; they are listed as doomed.
    """
    doomed: tuple[str, ...] = ()
    query = select(items).where(items.c.asset_id == asset_id).order_by(items.c.job_id)
    for item in connection.execute(query).all():
        if lock_job(connection, item.job_id) is not None:
            # Read again: until the job was locked, a commit could change it.
            same = (items.c.job_id == item.job_id) & (items.c.item == item.item)
            found = connection.execute(select(items).where(same)).one()
            doomed += _erase_item(database, connection, found)
            _settle(database, connection, item.job_id)
    connection.execute(delete(assets).where(assets.c.id == asset_id))
    return doomed


def hide_job(database: Database, connection: Connection, job_id: UUID) -> None:
    """From here on nobody sees the job, claims from it or commits to it."""
    if lock_job(connection, job_id) is None:
        return
    # In the order in which a heartbeat takes several units, so that neither waits for the other.
    mine = select(units.c.item).where(units.c.job_id == job_id)
    connection.execute(mine.order_by(units.c.item, units.c.chunk).with_for_update())
    doom_derived(database, connection, derived_blobs.c.job_id == job_id)
    for table in (units, items, job_counts, job_provenances, job_tags, outbox):
        connection.execute(delete(table).where(table.c.job_id == job_id))
    hidden = {"erasing": True, "idempotency_key": None, "state": JobState.CANCELLED}
    ended = {**hidden, "finished_at": database.now_sql}
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(ended))


def remove_job(database: Database, job_id: UUID) -> None:
    """The rest of a hidden job, in short transactions; safe to repeat and to interrupt."""
    for table in MANY_ROWS:
        while _remove_some(database, table, job_id):
            pass
    for table in (chunk_frames, tracks):
        with database.begin() as connection:
            connection.execute(delete(table).where(table.c.job_id == job_id))
    with database.begin() as connection:
        connection.execute(delete(jobs).where(jobs.c.id == job_id))


def _remove_some(database: Database, table: Table, job_id: UUID) -> bool:
    """Whether rows may be left."""
    mine = table.c.job_id == job_id
    key = (table.c.item, table.c.chunk, table.c.ord)
    count = VECTORS_PER_DELETE if table is embeddings else ROWS_PER_DELETE
    with database.begin() as connection:
        after = connection.execute(
            select(*key).where(mine).order_by(*key).offset(count).limit(1)
        ).one_or_none()
        some = mine if after is None else mine & (tuple_(*key) < tuple_(*after))
        connection.execute(delete(table).where(some))
    return after is not None


def _erase_item(database: Database, connection: Connection, item: AnyRow) -> tuple[str, ...]:
    """The keys of blobs that were made from it."""
    doomed = doom_derived(database, connection, of_item(item.job_id, item.item))
    for table in MANY_ROWS:
        connection.execute(delete(table).where(_of_item(table, item)))
    if item.frames_total is not None:
        low, high = tracks_of(item.item)
        numbered = tracks.c.track_id.between(low, high)
        connection.execute(delete(tracks).where(_of_item(tracks, item), numbered))
        connection.execute(delete(chunk_frames).where(_of_item(chunk_frames, item)))
    connection.execute(delete(items).where(_of_item(items, item)))
    _forget_counts(connection, item)
    _shrink_units(connection, item)
    _shrink_job(connection, item)
    return doomed


def _shrink_job(connection: Connection, item: AnyRow) -> None:
    share = SHARES.get(ItemState(item.state), NO_SHARE)
    counters = {name: jobs.c[name] - less for name, less in share._asdict().items()}
    changed = {"items_total": jobs.c.items_total - 1, **counters}
    if item.frames_total is not None:
        changed |= {name: jobs.c[name] - getattr(item, name) for name in SUMS}
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


def _shrink_units(connection: Connection, item: AnyRow) -> None:
    """A unit covers the items in its range that exist; with none left it goes as well."""
    mine = (units.c.job_id == item.job_id) & _covers(item)
    locking = select(units.c.item).where(mine).order_by(units.c.item, units.c.chunk)
    connection.execute(locking.with_for_update())
    left = exists().where(
        items.c.job_id == units.c.job_id,
        items.c.item >= units.c.item,
        items.c.item < units.c.item + units.c.span,
    )
    connection.execute(delete(units).where(mine, ~left))


def _covers(item: AnyRow) -> Any:
    """Of a unit: a video's are about it alone, and may be many."""
    if item.frames_total is not None:
        return units.c.item == item.item
    return (units.c.item <= item.item) & (units.c.item + units.c.span > item.item)


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
