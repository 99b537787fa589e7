"""Objects followed once more over stored detections. The caller's transaction is one whole change.

Items stay done and their tracks readable until the new ones are committed.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection, select, update

from vision.domain.job import TRACK_CHUNK
from vision.domain.states import JobState, UnitKind, UnitState
from vision.errors import Conflict
from vision.storage.bulk import Columns, Same, insert_columns
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.endings import error_columns
from vision.storage.job_changes import locked, reopen_job
from vision.storage.renders import WITH_RESULTS, drop_render
from vision.storage.tables import items, units


def retrack(
    database: Database, connection: Connection, job_id: UUID, *, changed: Mapping[str, object]
) -> None:
    """`changed` are columns of the job. Raises Conflict; see `JobStore.retrack`."""
    job = locked(connection, job_id)
    if not JobState(job.state).is_final:
        raise Conflict(f"job {job_id} is {job.state}; objects are followed again once it has ended")
    videos = _videos(connection, job_id)
    if not any(item.detections for item in videos):
        raise Conflict(f"job {job_id} has no video in which something was found")
    _open_units(database, connection, job, videos)
    for item in videos:
        drop_render(database, connection, job_id, item.item)
    reopen_job(connection, job, **changed)


def _videos(connection: Connection, job_id: UUID) -> Sequence[AnyRow]:
    query = select(items.c.item, items.c.detections).where(
        items.c.job_id == job_id,
        items.c.frames_total.is_not(None),
        items.c.state.in_(WITH_RESULTS),
    )
    return connection.execute(query.order_by(items.c.item)).all()


def _open_units(
    database: Database, connection: Connection, job: AnyRow, videos: Sequence[AnyRow]
) -> None:
    """The units that were there keep their attempt, so that an old lease stays lost."""
    track = (units.c.job_id == job.id) & (units.c.chunk == TRACK_CHUNK)
    known = set(connection.execute(select(units.c.item).where(track)).scalars())
    now = connection.execute(select(database.now_sql)).scalar_one()
    again = {"state": UnitState.READY, "fails": 0, "not_before": now, **error_columns(None)}
    wanted = [item.item for item in videos]
    for item in known.intersection(wanted):
        mine = track & (units.c.item == item)
        connection.execute(update(units).where(mine).values(again))
    new = [item for item in wanted if item not in known]
    insert_columns(connection, units, _new_units(job, new, now=now))


def _new_units(job: AnyRow, new: Sequence[int], *, now: float) -> Columns:
    return {
        "job_id": Same(job.id),
        "item": new,
        "chunk": Same(TRACK_CHUNK),
        "span": Same(1),
        "tenant": Same(job.tenant),
        "priority": Same(job.priority),
        "state": Same(UnitState.READY.value),
        "attempt": Same(0),
        "fails": Same(0),
        "not_before": Same(now),
        "kind": Same(UnitKind.TRACK.value),
    }
