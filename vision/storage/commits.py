"""The one transaction that makes "done" and "has results" the same fact."""

from sqlalchemy import Connection

from vision.domain.job import (
    ChunkResult,
    ProbeResult,
    RenderResult,
    TrackResult,
    UnitResult,
    WorkResult,
)
from vision.domain.states import UnitKind, UnitState
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.endings import finish_if_complete, lock_job
from vision.storage.image_results import store_images
from vision.storage.leases import is_unit, is_unwanted, leave, lock_unit
from vision.storage.renders import store_render
from vision.storage.track_results import store_tracks
from vision.storage.video_endings import video_unit_closed
from vision.storage.video_results import store_chunk, store_probe

KIND_OF: dict[type[WorkResult], UnitKind] = {
    UnitResult: UnitKind.IMAGES,
    ProbeResult: UnitKind.PROBE,
    ChunkResult: UnitKind.CHUNK,
    TrackResult: UnitKind.TRACK,
    RenderResult: UnitKind.RENDER,
}


def commit(database: Database, connection: Connection, result: WorkResult) -> bool:
    """Whether the results are stored now. Raises ValueError when they aren't the lease's."""
    _require_fit(result)
    lease = result.lease
    # The job first: two last units that end together would both see the other one open.
    job = lock_job(connection, lease.job_id)
    unit = None if job is None else lock_unit(connection, is_unit(lease))
    if job is None or unit is None or unit.attempt != lease.attempt:
        return False
    if unit.state != UnitState.LEASED:
        # Done under this very attempt: an earlier try whose answer got lost.
        return bool(unit.state == UnitState.DONE)
    if is_unwanted(job, unit):
        leave(connection, unit, UnitState.CANCELLED)
        return False
    leave(connection, unit, UnitState.DONE)
    _store(database, connection, result, job=job, unit=unit)
    video_unit_closed(database, connection, unit)
    finish_if_complete(database, connection, lease.job_id)
    return True


def _require_fit(result: WorkResult) -> None:
    lease = result.lease
    if KIND_OF[type(result)] is not lease.kind:
        raise ValueError(f"a {type(result).__name__} is no result of a unit of {lease.kind}")
    if isinstance(result, UnitResult) and [one.index for one in result.items] != [
        one.index for one in lease.items
    ]:
        raise ValueError("the results are not for the items of the lease")
    if isinstance(result, ChunkResult) and result.state is not None:
        raise ValueError("what the next chunk begins with is not durable yet")


def _store(
    database: Database, connection: Connection, result: WorkResult, *, job: AnyRow, unit: AnyRow
) -> None:
    match result:
        case UnitResult():
            store_images(database, connection, result, job=job)
        case ProbeResult():
            store_probe(database, connection, result, job=job, unit=unit)
        case ChunkResult():
            store_chunk(database, connection, result, job=job, unit=unit)
        case TrackResult():
            store_tracks(database, connection, result, job=job)
        case RenderResult():
            store_render(database, connection, result)
