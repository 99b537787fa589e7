"""Which unit is meant, and whether a lease still holds it: every write of a worker asks this."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, and_, select, update

from vision.domain.job import Lease
from vision.domain.states import JobState, UnitKind, UnitState
from vision.storage.columns import AnyRow
from vision.storage.tables import items, units

# What a unit loses when it leaves the state leased.
NO_LEASE: dict[str, object] = {"lease_owner": None, "lease_until": None, "frames_done": 0}


def is_unit(unit: Lease | AnyRow) -> ColumnElement[bool]:
    return and_(
        units.c.job_id == unit.job_id, units.c.item == unit.item, units.c.chunk == unit.chunk
    )


def is_held(lease: Lease) -> ColumnElement[bool]:
    """The fence: the attempt only grows, so an old lease never matches again."""
    return and_(is_unit(lease), units.c.attempt == lease.attempt, units.c.state == UnitState.LEASED)


def prolong(connection: Connection, lease: Lease, values: Mapping[str, object]) -> bool:
    """Whether it still holds; so it does when this very attempt has been committed.

    Whoever has the unit locked is storing its result, for minutes if that is long: nothing is
    written then, and nobody waits.
    """
    mine = select(units.c.item).where(is_held(lease)).with_for_update(skip_locked=True)
    if connection.execute(mine).one_or_none() is not None:
        connection.execute(update(units).where(is_held(lease)).values(values))
        return True
    alive = units.c.state.in_((UnitState.LEASED, UnitState.DONE))
    known = is_unit(lease) & (units.c.attempt == lease.attempt) & alive
    return connection.execute(select(units.c.item).where(known)).one_or_none() is not None


def is_unwanted(job: AnyRow, unit: AnyRow) -> bool:
    """Whether its job was cancelled; drawing what was found until then is still wanted."""
    return bool(job.state == JobState.CANCELLED and unit.kind != UnitKind.RENDER)


def is_item_of(unit: AnyRow) -> ColumnElement[bool]:
    """Items of a unit, from its job_id, item and span."""
    return and_(
        items.c.job_id == unit.job_id,
        items.c.item >= unit.item,
        items.c.item < unit.item + unit.span,
    )


def is_of_same_item(unit: Lease | AnyRow) -> ColumnElement[bool]:
    """Units of the same video."""
    return and_(units.c.job_id == unit.job_id, units.c.item == unit.item)


def lock_unit(connection: Connection, condition: ColumnElement[bool]) -> AnyRow | None:
    """All columns. The caller holds the job's row already."""
    query = select(units).where(condition).with_for_update()
    return connection.execute(query).one_or_none()


def leave(connection: Connection, unit: Lease | AnyRow, state: UnitState, **also: object) -> None:
    """Into a state other than leased; the caller has locked the unit."""
    values = {"state": state, **NO_LEASE, **also}
    connection.execute(update(units).where(is_unit(unit)).values(values))
