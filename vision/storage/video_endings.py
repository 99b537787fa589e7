"""How a video ends: the one place that decides what becomes of an item when its units close.

The caller holds the job's row. What is written follows from the stored rows alone, so that the
order in which chunks were committed changes nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, null, select, update

from vision.domain.job import RENDER_CHUNK, TRACK_CHUNK, ItemFailure
from vision.domain.states import ItemState, UnitKind, UnitState
from vision.domain.video import Chunk
from vision.errors import NoFrames
from vision.storage.chains import ready_following
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.endings import error_columns
from vision.storage.leases import is_item_of, is_of_same_item
from vision.storage.tables import UNIT_OPEN, items, jobs, units

MAX_NAMED = 10
"""Troubled stretches that an item's warnings name one by one."""
GIVEN_UP = (UnitState.FAILED, UnitState.QUARANTINED)
NO_FRAMES = NoFrames.code


class Share(NamedTuple):
    """What an item adds to its job's counters."""

    items_done: int = 0
    items_failed: int = 0
    items_partial: int = 0


SHARES = {
    ItemState.DONE: Share(items_done=1),
    ItemState.PARTIAL: Share(items_done=1, items_partial=1),
    ItemState.FAILED: Share(items_failed=1),
}
NO_SHARE = Share()


def video_unit_closed(database: Database, connection: Connection, unit: AnyRow) -> None:
    """After a unit left its last open state: readies what waited for it, or ends the item."""
    if unit.kind not in (UnitKind.CHUNK, UnitKind.TRACK):
        return
    ready_following(database, connection, unit)
    is_last = unit.kind == UnitKind.TRACK or not _has_open_chunk(connection, unit)
    if is_last and not _ready_track(database, connection, unit):
        _conclude(connection, unit)


def move_item(connection: Connection, item: AnyRow, state: ItemState) -> None:
    """Into that state, the job's counters with it."""
    place = (items.c.job_id == item.job_id) & (items.c.item == item.item)
    connection.execute(update(items).where(place).values(state=state))
    before, now = (SHARES.get(ItemState(one), NO_SHARE) for one in (item.state, state))
    changed = {
        name: jobs.c[name] + more - less
        for name, more, less in zip(Share._fields, now, before, strict=True)
        if more != less
    }
    if changed:
        connection.execute(update(jobs).where(jobs.c.id == item.job_id).values(changed))


def _has_open_chunk(connection: Connection, unit: AnyRow) -> bool:
    chunks = units.c.chunk.between(1, TRACK_CHUNK - 1)
    query = select(units.c.chunk).where(is_of_same_item(unit), chunks, UNIT_OPEN)
    # The last ones stay open longest.
    last = query.order_by(units.c.chunk.desc()).limit(1)
    return connection.execute(last).one_or_none() is not None


def _ready_track(database: Database, connection: Connection, unit: AnyRow) -> bool:
    """Whether objects are followed now: there is such a unit, and something to follow them in."""
    item = _item(connection, unit)
    state = UnitState.READY if item.frames_done else UnitState.CANCELLED
    values = {"state": state, "not_before": database.now_sql}
    waiting = (units.c.chunk == TRACK_CHUNK) & (units.c.state == UnitState.WAITING)
    changed = update(units).where(is_of_same_item(unit), waiting).values(values)
    return connection.execute(changed).rowcount > 0 and state is UnitState.READY


def _conclude(connection: Connection, unit: AnyRow) -> None:
    item = _item(connection, unit)
    troubles = _troubles(connection, unit)
    error = None if item.frames_done else _error(troubles)
    warnings = _warnings(item, troubles)
    state = ItemState.PARTIAL if warnings else ItemState.DONE
    told = {"warnings": warnings or null(), **error_columns(error)}
    connection.execute(update(items).where(is_item_of(unit)).values(told))
    move_item(connection, item, state if error is None else ItemState.FAILED)


def _item(connection: Connection, unit: AnyRow) -> AnyRow:
    return connection.execute(select(items).where(is_item_of(unit))).one()


def _troubles(connection: Connection, unit: AnyRow) -> Sequence[AnyRow]:
    """Units of the video that gave up or found damage, in order of time."""
    troubled = units.c.state.in_(GIVEN_UP) | units.c.damage.is_not(None)
    query = select(units).where(is_of_same_item(unit), troubled, units.c.chunk < RENDER_CHUNK)
    return connection.execute(query.order_by(units.c.chunk)).all()


def _error(troubles: Sequence[AnyRow]) -> ItemFailure:
    """Of a video without any result."""
    for one in troubles:
        if one.error_code is not None and one.kind == UnitKind.CHUNK:
            return ItemFailure(one.error_code, one.error_detail or "")
    damage = [one.damage for one in troubles if one.damage is not None]
    return ItemFailure(NO_FRAMES, damage[0] if damage else "no frame could be decoded")


def _warnings(item: AnyRow, troubles: Sequence[AnyRow]) -> list[str]:
    """None for a video of which everything was analysed and followed."""
    about_file = [one for one in troubles if one.kind != UnitKind.TRACK]
    told = []
    if about_file or item.frames_done < item.frames_declared:
        told.append(f"{item.frames_done} of {item.frames_declared} frames were analysed")
    told += [_said(one) for one in about_file[:MAX_NAMED]]
    if len(about_file) > MAX_NAMED:
        told.append(f"{len(about_file) - MAX_NAMED} more stretches are damaged or missing")
    return told + [_said(one) for one in troubles if one.kind == UnitKind.TRACK]


def _said(unit: AnyRow) -> str:
    if unit.kind == UnitKind.TRACK:
        return f"objects were not followed: {unit.error_code}: {unit.error_detail}"
    if unit.kind == UnitKind.PROBE:
        return f"the file is damaged: {unit.damage}"
    chunk = Chunk.from_json(unit.plan)
    start = float(chunk.start_pts * chunk.time_base)
    stretch = f"{start:.3f} s to {start + chunk.seconds:.3f} s"
    if unit.damage is not None:
        return f"{stretch} is damaged: {unit.damage}"
    return f"{stretch} has no results: {unit.error_code}: {unit.error_detail}"
