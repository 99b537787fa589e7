"""What becomes of a unit that failed. The caller holds the rows of its job and of the unit."""

import random
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from vision.domain.job import ItemFailure
from vision.domain.states import ItemState, UnitKind, UnitState
from vision.storage.bulk import Columns, Same, insert_columns
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.endings import error_columns
from vision.storage.leases import is_item_of, is_unit, is_unwanted, leave
from vision.storage.tables import items, jobs, units
from vision.storage.video_endings import video_unit_closed


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how soon a unit is tried again."""

    max_fails: int
    backoff_seconds: float

    def pause_seconds(self, fails: int) -> float:
        """After the failure of that number, from 1: doubling, plus up to half at random."""
        return float(self.backoff_seconds * 2 ** (fails - 1) * random.uniform(1, 1.5))


def fail_unit(
    database: Database,
    connection: Connection,
    *,
    job: AnyRow,
    unit: AnyRow,
    failure: ItemFailure,
    patience: Patience | None,
) -> None:
    """To failed without patience; else to ready, to single-image units, or to quarantined."""
    if is_unwanted(job, unit):
        leave(connection, unit, UnitState.CANCELLED)
        return
    if patience is None:
        _give_up(database, connection, unit, state=UnitState.FAILED, failure=failure)
        return
    pause = patience.pause_seconds(unit.fails + 1)
    indexes = _item_indexes(connection, unit)
    if len(indexes) > 1:
        _split(database, connection, unit, indexes=indexes, pause_seconds=pause)
    elif unit.fails + 1 >= patience.max_fails:
        _give_up(database, connection, unit, state=UnitState.QUARANTINED, failure=failure)
    else:
        later = {"fails": unit.fails + 1, "not_before": database.now_sql + pause}
        leave(connection, unit, UnitState.READY, **later, **error_columns(failure))


def _give_up(
    database: Database,
    connection: Connection,
    unit: AnyRow,
    *,
    state: UnitState,
    failure: ItemFailure,
) -> None:
    """Of a video only what can't do without this unit is lost with it."""
    leave(connection, unit, state, fails=unit.fails + 1, **error_columns(failure))
    if unit.kind in (UnitKind.IMAGES, UnitKind.PROBE):
        _fail_items(connection, unit, failure)
    else:
        video_unit_closed(database, connection, unit)


def _fail_items(connection: Connection, unit: AnyRow, failure: ItemFailure) -> None:
    pending = is_item_of(unit) & (items.c.state == ItemState.PENDING)
    failed = {"state": ItemState.FAILED, **error_columns(failure)}
    count = connection.execute(update(items).where(pending).values(failed)).rowcount
    counted = {"items_failed": jobs.c.items_failed + count}
    connection.execute(update(jobs).where(jobs.c.id == unit.job_id).values(counted))


def _item_indexes(connection: Connection, unit: AnyRow) -> list[int]:
    query = select(items.c.item).where(is_item_of(unit)).order_by(items.c.item)
    return list(connection.execute(query).scalars())


def _split(
    database: Database,
    connection: Connection,
    unit: AnyRow,
    *,
    indexes: list[int],
    pause_seconds: float,
) -> None:
    """One unit per image, each counted as failed once: the image that broke the worker then
    breaks it alone. The first keeps the old row and its attempt, so that the old lease stays lost.
    """
    not_before = connection.execute(select(database.now_sql + pause_seconds)).scalar_one()
    if indexes[0] == unit.item:
        once = {"span": 1, "fails": 1, "not_before": not_before}
        leave(connection, unit, UnitState.READY, **once)
    else:
        connection.execute(delete(units).where(is_unit(unit)))
    others = [index for index in indexes if index != unit.item]
    insert_columns(connection, units, _singles(unit, others, not_before))


def _singles(unit: AnyRow, indexes: list[int], not_before: float) -> Columns:
    return {
        "job_id": Same(unit.job_id),
        "item": indexes,
        "chunk": Same(unit.chunk),
        "span": Same(1),
        "tenant": Same(unit.tenant),
        "priority": Same(unit.priority),
        "state": Same(UnitState.READY.value),
        "attempt": Same(0),
        "fails": Same(1),
        "not_before": Same(not_before),
    }
