"""What a job's owner may do to it: cancel, retry. The caller's transaction is one whole change."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, null, select, tuple_, update

from vision.domain.job import TRACK_CHUNK
from vision.domain.states import ItemState, JobState, UnitKind, UnitState
from vision.errors import Conflict, NotFound
from vision.storage.chains import FOLLOW_STAGE, drop_states, hold_back
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.endings import end, error_columns, lock_job
from vision.storage.keys import KEYS_PER_QUERY, one_of
from vision.storage.leases import is_item_of, is_unit
from vision.storage.renders import drop_render
from vision.storage.tables import UNIT_NOT_RENDER, items, jobs, units
from vision.storage.video_endings import move_item

NOT_STARTED = (UnitState.WAITING, UnitState.READY)
RETRIED = (UnitState.FAILED, UnitState.QUARANTINED)
REOPENED = (ItemState.FAILED, ItemState.PARTIAL)


def cancel(database: Database, connection: Connection, job_id: UUID) -> None:
    """Leased units stay leased until their worker hears of it; their commits are refused."""
    job = locked(connection, job_id)
    if JobState(job.state).is_final:
        return
    # Locked ones are being claimed this moment: the claim looks at the job after taking them.
    open_units = (
        select(units.c.item, units.c.chunk)
        .where(units.c.job_id == job_id, units.c.state.in_(NOT_STARTED), UNIT_NOT_RENDER)
        .with_for_update(skip_locked=True)
    )
    found = (units.c.job_id == job_id) & tuple_(units.c.item, units.c.chunk).in_(open_units)
    connection.execute(update(units).where(found).values(state=UnitState.CANCELLED))
    pending = (items.c.job_id == job_id) & (items.c.state == ItemState.PENDING)
    connection.execute(update(items).where(pending).values(state=ItemState.CANCELLED))
    drop_states(database, connection, job_id)
    end(database, connection, job, state=JobState.CANCELLED)


def retry(database: Database, connection: Connection, job_id: UUID) -> None:
    """Raises Conflict for a job that runs, was cancelled or has nothing to retry."""
    job = locked(connection, job_id)
    if not JobState(job.state).is_final or job.state == JobState.CANCELLED:
        raise Conflict(f"job {job_id} is {job.state}; only an ended job is retried")
    found = _given_up(connection, job_id)
    reopened = _reopen_items(database, connection, found)
    if reopened == 0:
        raise Conflict(f"job {job_id} has no failed or quarantined unit")
    _reopen_units(database, connection, found)
    if FOLLOW_STAGE in job.pipeline:
        hold_back(connection, found)
    reopen_job(connection, job)


def reopen_job(connection: Connection, job: AnyRow, **also: object) -> None:
    """An ended job runs once more."""
    changed = {
        "state": JobState.QUEUED,
        "finished_at": None,
        "run": job.run + 1,
        **error_columns(None),
        **also,
    }
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(changed))


def _given_up(connection: Connection, job_id: UUID) -> Sequence[AnyRow]:
    columns = (units.c.job_id, units.c.item, units.c.chunk, units.c.span, units.c.kind)
    chosen = (units.c.job_id == job_id) & units.c.state.in_(RETRIED)
    query = select(*columns).where(chosen, UNIT_NOT_RENDER)
    return connection.execute(query.order_by(units.c.item, units.c.chunk)).all()


def _reopen_items(database: Database, connection: Connection, found: Sequence[AnyRow]) -> int:
    """Failed items of failed units only: a bad file in a finished unit stays bad."""
    # A video may have many such units.
    of_items = list({(unit.item, unit.span): unit for unit in found}.values())
    unread = {unit.item for unit in found if unit.kind != UnitKind.TRACK}
    count = 0
    for start in range(0, len(of_items), KEYS_PER_QUERY):
        some = one_of(of_items[start : start + KEYS_PER_QUERY], is_item_of)
        count += _reopen_images(connection, found[0].job_id, some)
        is_video = items.c.frames_total.is_not(None)
        videos = select(items).where(some, is_video, items.c.state.in_(REOPENED))
        for item in connection.execute(videos).all():
            _reopen_video(database, connection, item, is_unread=item.item in unread)
            count += 1
    return count


def _reopen_images(connection: Connection, job_id: UUID, some: ColumnElement[bool]) -> int:
    failed = some & (items.c.state == ItemState.FAILED) & items.c.frames_total.is_(None)
    values = {"state": ItemState.PENDING, **error_columns(None)}
    count = connection.execute(update(items).where(failed).values(values)).rowcount
    counted = {"items_failed": jobs.c.items_failed - count}
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(counted))
    return count


def _reopen_video(
    database: Database, connection: Connection, item: AnyRow, *, is_unread: bool
) -> None:
    """One of which only the tracks are missing stays what it is until they are there."""
    mine = (items.c.job_id == item.job_id) & (items.c.item == item.item)
    forgotten = {"warnings": null(), **error_columns(None)}
    connection.execute(update(items).where(mine).values(forgotten))
    if is_unread:
        move_item(connection, item, ItemState.PENDING)
    drop_render(database, connection, item.job_id, item.item)


def _reopen_units(database: Database, connection: Connection, found: Sequence[AnyRow]) -> None:
    ready = {"state": UnitState.READY, "fails": 0, "not_before": database.now_sql}
    for start in range(0, len(found), KEYS_PER_QUERY):
        some = one_of(found[start : start + KEYS_PER_QUERY], is_unit)
        connection.execute(update(units).where(some).values({**ready, **error_columns(None)}))
    # Objects are followed again once the missing chunks are there.
    again = {"state": UnitState.WAITING, "fails": 0, **error_columns(None)}
    for item in {unit.item for unit in found if unit.kind == UnitKind.CHUNK}:
        mine = (units.c.job_id == found[0].job_id) & (units.c.item == item)
        track = mine & (units.c.chunk == TRACK_CHUNK)
        connection.execute(update(units).where(track).values(again))


def locked(connection: Connection, job_id: UUID) -> AnyRow:
    """The job's row. Raises NotFound."""
    job = lock_job(connection, job_id)
    if job is None:
        raise NotFound(f"no job {job_id}")
    return job
