"""Annotated videos: asked for, drawn by a worker, kept until their results change."""

from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, select, update

from vision.domain.job import RENDER_CHUNK, RenderResult
from vision.domain.states import ItemState, UnitKind, UnitState
from vision.domain.stored import RenderState
from vision.errors import Conflict
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.derived_blobs import doom_derived, keep_derived, of_item
from vision.storage.endings import error_columns
from vision.storage.leases import NO_LEASE
from vision.storage.rows import facts_from_json, failure_from
from vision.storage.tables import units
from vision.storage.video_tables import RENDER, derived_blobs

WITH_RESULTS = (ItemState.DONE, ItemState.PARTIAL)
AGAIN = (UnitState.FAILED, UnitState.QUARANTINED, UnitState.CANCELLED)


def render_state(connection: Connection, job_id: UUID, item: int) -> RenderState | None:
    """None when nobody asked, or when the results have changed since."""
    unit = connection.execute(select(units).where(_is_render(job_id, item))).one_or_none()
    if unit is None:
        return None
    query = select(derived_blobs).where(of_item(job_id, item, RENDER))
    blob = connection.execute(query).one_or_none()
    is_done = unit.state == UnitState.DONE
    return RenderState(
        state=UnitState(unit.state),
        blob_key=None if blob is None else blob.blob_key,
        size_bytes=None if blob is None else blob.size_bytes,
        media_type=None if blob is None else blob.media_type,
        error=failure_from(unit),
        fraction=1.0 if is_done else min(unit.frames_done / max(unit.frames, 1), 1.0),
    )


def request_render(database: Database, connection: Connection, job: AnyRow, item: AnyRow) -> None:
    """Makes the unit, or makes one that gave up ready again. The caller holds the job's row.

    Raises Conflict for an image and for a video without results.
    """
    if item.frames_total is None:
        raise Conflict("only a video is drawn by a worker; an image is drawn when it is asked for")
    if item.state not in WITH_RESULTS:
        raise Conflict(f"the video is {item.state}: there are no results to draw yet")
    mine = _is_render(job.id, item.item)
    unit = connection.execute(select(units).where(mine).with_for_update()).one_or_none()
    ready = {"state": UnitState.READY, "fails": 0, "not_before": database.now_sql}
    if unit is None:
        connection.execute(units.insert().values({**_new_unit(job, item), **ready}))
    elif unit.state in AGAIN:
        again = {**ready, "frames_done": 0, **error_columns(None)}
        connection.execute(update(units).where(mine).values(again))


def store_render(database: Database, connection: Connection, result: RenderResult) -> None:
    """In place of the one that was kept."""
    lease = result.lease
    doom_derived(database, connection, of_item(lease.job_id, lease.item, RENDER))
    keep_derived(
        connection,
        job_id=lease.job_id,
        item=lease.item,
        kind=RENDER,
        blob_key=result.blob_key,
        size_bytes=result.size_bytes,
        media_type=result.media_type,
    )


def drop_render(database: Database, connection: Connection, job_id: UUID, item: int) -> None:
    """The results change: what is drawn is thrown away, what is being drawn begins again."""
    doom_derived(database, connection, of_item(job_id, item, RENDER))
    mine = _is_render(job_id, item)
    begun = units.c.state.in_((UnitState.READY, UnitState.LEASED))
    again = {"state": UnitState.READY, **NO_LEASE}
    connection.execute(update(units).where(mine, begun).values(again))
    connection.execute(delete(units).where(mine, ~begun))


def _is_render(job_id: UUID, item: int) -> ColumnElement[bool]:
    return (units.c.job_id == job_id) & (units.c.item == item) & (units.c.chunk == RENDER_CHUNK)


def _new_unit(job: AnyRow, item: AnyRow) -> dict[str, object]:
    frames = facts_from_json(item.facts).frame_count or item.frames_total
    return {
        "job_id": job.id,
        "item": item.item,
        "chunk": RENDER_CHUNK,
        "span": 1,
        "tenant": job.tenant,
        "priority": job.priority,
        "attempt": 0,
        "kind": UnitKind.RENDER,
        "plan": {"frames": frames},
        "frames": frames,
    }
