"""Chunks of a followed video, one after the other: what each leaves is kept until it is used up.

A chunk that gave up doesn't stop its chain: the next one begins with what that one had begun with,
and that is kept, so that it can be tried again. The caller holds the job's row.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select, update

from vision.domain.chain import Link
from vision.domain.job import ChunkResult, Lease
from vision.domain.states import UnitKind, UnitState
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.derived_blobs import doom_derived, keep_derived, of_item
from vision.storage.leases import is_of_same_item, is_unit
from vision.storage.tables import units
from vision.storage.video_tables import derived_blobs

FOLLOW_STAGE = "follow"
PREFIX = "follow-"
"""Of the kinds of these blobs; then comes the number of the chunk that begins with it."""
STATE_TYPE = "application/octet-stream"


def link_of(unit: Lease | AnyRow) -> Link | None:
    """None for units that hang together with no other."""
    plan: Mapping[str, Any] = unit.plan or {}
    return Link.from_json(plan["link"]) if "link" in plan else None


def state_key(connection: Connection, lease: Lease) -> str | None:
    """Of the blob that this chunk begins with: what the nearest one before it left."""
    link = link_of(lease)
    if link is None:
        return None
    query = select(derived_blobs.c.kind, derived_blobs.c.blob_key)
    rows = connection.execute(query.where(_states_of(lease.job_id, lease.item)))
    keys = {int(row.kind.removeprefix(PREFIX)): row.blob_key for row in rows}
    step = 1 if link.reverse else -1
    for number in range(lease.chunk, link.first, step):
        if number in keys:
            return str(keys[number])
    return None


def pass_on(database: Database, connection: Connection, result: ChunkResult, unit: AnyRow) -> None:
    """With the chunk's commit: what it began with is used up, what it leaves is the next one's."""
    link = link_of(unit)
    if link is None:
        return
    following = link.following(unit.chunk)
    mine = of_item(unit.job_id, unit.item, f"{PREFIX}{unit.chunk}")
    if following is None:
        doom_derived(database, connection, mine)
        return
    theirs = of_item(unit.job_id, unit.item, f"{PREFIX}{following}")
    doom_derived(database, connection, theirs)
    if result.state_blob_key is None:
        # It saw no frame: the next one begins where this one would have.
        moved = {"kind": f"{PREFIX}{following}"}
        connection.execute(update(derived_blobs).where(mine).values(moved))
    else:
        doom_derived(database, connection, mine)
        _keep(connection, result.state_blob_key, unit, following)
    if not _is_waiting(connection, unit, following):
        # Done already, while this one had given up.
        doom_derived(database, connection, theirs)


def ready_following(database: Database, connection: Connection, unit: AnyRow) -> None:
    """After a chunk was closed, however: the next one of its chain may begin."""
    link = link_of(unit)
    following = None if link is None else link.following(unit.chunk)
    if following is None:
        return
    ready = {"state": UnitState.READY, "not_before": database.now_sql}
    waiting = _is_chunk(unit, following) & (units.c.state == UnitState.WAITING)
    connection.execute(update(units).where(waiting).values(ready))


def hold_back(connection: Connection, found: Sequence[AnyRow]) -> None:
    """Of chunks that are tried again, those wait whose neighbour before them is tried again too."""
    again = {(unit.item, unit.chunk) for unit in found if unit.kind == UnitKind.CHUNK}
    for unit in (one for one in found if one.kind == UnitKind.CHUNK):
        plan = select(units.c.plan).where(is_unit(unit))
        link = Link.from_json(connection.execute(plan).scalar_one()["link"])
        before = unit.chunk + (1 if link.reverse else -1)
        if unit.chunk != link.first and (unit.item, before) in again:
            held = {"state": UnitState.WAITING}
            connection.execute(update(units).where(is_unit(unit)).values(held))


def drop_states(database: Database, connection: Connection, job_id: UUID) -> None:
    """Nothing goes on any more."""
    states = derived_blobs.c.kind.startswith(PREFIX, autoescape=True)
    doom_derived(database, connection, (derived_blobs.c.job_id == job_id) & states)


def _keep(connection: Connection, blob_key: str, unit: AnyRow, following: int) -> None:
    keep_derived(
        connection,
        job_id=unit.job_id,
        item=unit.item,
        kind=f"{PREFIX}{following}",
        blob_key=blob_key,
        media_type=STATE_TYPE,
    )


def _is_waiting(connection: Connection, unit: AnyRow, number: int) -> bool:
    query = select(units.c.state).where(_is_chunk(unit, number))
    return connection.execute(query).scalar_one_or_none() == UnitState.WAITING


def _is_chunk(unit: AnyRow, number: int) -> ColumnElement[bool]:
    return is_of_same_item(unit) & (units.c.chunk == number)


def _states_of(job_id: UUID, item: int) -> ColumnElement[bool]:
    return of_item(job_id, item) & derived_blobs.c.kind.startswith(PREFIX, autoescape=True)
