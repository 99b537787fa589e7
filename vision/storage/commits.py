"""The one transaction that makes "done" and "has results" the same fact."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from vision.domain.detections import Detections
from vision.domain.image import ImageSize
from vision.domain.job import ItemResult, UnitResult
from vision.domain.provenance import Provenance
from vision.domain.states import ItemState, JobState, UnitState
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.detection_rows import insert_detections
from vision.storage.endings import finish_if_complete, lock_job
from vision.storage.leases import is_unit, leave, lock_unit
from vision.storage.rows import facts_to_json, size_from_json
from vision.storage.tables import items, job_counts, job_provenances, jobs, provenances


def commit(database: Database, connection: Connection, result: UnitResult) -> bool:
    """Whether the results are stored now. Raises ValueError when they aren't the lease's."""
    lease = result.lease
    if [one.index for one in result.items] != [one.index for one in lease.items]:
        raise ValueError("the results are not for the items of the lease")
    # The job first: two last units that end together would both see the other one open.
    job = lock_job(connection, lease.job_id)
    unit = None if job is None else lock_unit(connection, is_unit(lease))
    if job is None or unit is None or unit.attempt != lease.attempt:
        return False
    if unit.state != UnitState.LEASED:
        # Done under this very attempt: an earlier try whose answer got lost.
        return bool(unit.state == UnitState.DONE)
    if job.state == JobState.CANCELLED:
        leave(connection, unit, UnitState.CANCELLED)
        return False
    leave(connection, unit, UnitState.DONE)
    _store(database, connection, result, job=job)
    finish_if_complete(database, connection, lease.job_id)
    return True


def _store(database: Database, connection: Connection, result: UnitResult, *, job: AnyRow) -> None:
    sizes = _sizes(connection, result)
    kept = [one for one in result.items if one.index in sizes]
    provenance_id = _provenance(database, connection, job.id, result.provenance)
    _update_items(connection, job.id, kept, provenance_id)
    found = {one.index: one.detections for one in kept if one.detections is not None}
    _require_sizes(found, sizes)
    same = {
        "job_id": job.id,
        "chunk": result.lease.chunk,
        "tenant": job.tenant,
        "provenance_id": provenance_id,
    }
    insert_detections(database, connection, found, same=same)
    _count(database, connection, job.id, found)
    counted = {
        "items_done": jobs.c.items_done + len(found),
        "items_failed": jobs.c.items_failed + len(kept) - len(found),
    }
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(counted))


def _sizes(connection: Connection, result: UnitResult) -> dict[int, ImageSize]:
    """Of the items that still exist: an asset may have been erased while it was worked on."""
    indexes = [one.index for one in result.items]
    query = select(items.c.item, items.c.facts).where(
        items.c.job_id == result.lease.job_id, items.c.item.in_(indexes)
    )
    known = {row.item: size_from_json(row.facts) for row in connection.execute(query)}
    seen = {one.index: one.facts.size for one in result.items if one.facts is not None}
    return {index: seen.get(index, size) for index, size in known.items()}


def _require_sizes(found: Mapping[int, Detections], sizes: Mapping[int, ImageSize]) -> None:
    """Masks are stored without their size: it has to be the item's."""
    for index, one in found.items():
        for mask in one.masks or ():
            if mask.size != sizes[index]:
                raise ValueError(f"a mask of {mask.size} in an image of {sizes[index]}")


def _provenance(
    database: Database, connection: Connection, job_id: UUID, provenance: Provenance | None
) -> int | None:
    if provenance is None:
        return None
    digest = provenance.digest
    known = select(provenances.c.id).where(provenances.c.digest == digest)
    found = connection.execute(known).scalar_one_or_none()
    if found is None:
        added = database.insert(provenances).values(digest=digest, document=provenance.to_json())
        connection.execute(added.on_conflict_do_nothing())
        found = connection.execute(known).scalar_one()
    used = database.insert(job_provenances).values(job_id=job_id, provenance_id=found)
    connection.execute(used.on_conflict_do_nothing())
    return int(found)


def _update_items(
    connection: Connection, job_id: UUID, results: list[ItemResult], provenance_id: int | None
) -> None:
    statement = update(items).where(items.c.job_id == job_id, items.c.item == bindparam("of_item"))
    batches: dict[frozenset[str], list[dict[str, Any]]] = defaultdict(list)
    for one in results:
        values = _item_values(one, provenance_id) | {"of_item": one.index}
        batches[frozenset(values)].append(values)
    for rows in batches.values():
        connection.execute(statement, rows)


def _item_values(one: ItemResult, provenance_id: int | None) -> dict[str, Any]:
    facts = {} if one.facts is None else {"facts": facts_to_json(one.facts)}
    if one.detections is None:
        assert one.failure is not None
        failure = {"error_code": one.failure.code, "error_detail": one.failure.detail}
        return {"state": ItemState.FAILED.value, **failure, **facts}
    return {
        "state": ItemState.DONE.value,
        "detections": len(one.detections),
        "counts": one.detections.label_counts(),
        "provenance_id": provenance_id,
        **facts,
    }


def _count(
    database: Database, connection: Connection, job_id: UUID, found: Mapping[int, Detections]
) -> None:
    totals: dict[str, tuple[int, int]] = {}
    for one in found.values():
        for label, count in one.label_counts().items():
            detections, pictures = totals.get(label, (0, 0))
            totals[label] = (detections + count, pictures + 1)
    if not totals:
        return
    rows = [
        {"job_id": job_id, "label": label, "detections": detections, "item_count": pictures}
        for label, (detections, pictures) in totals.items()
    ]
    added = database.insert(job_counts).values(rows)
    more = {
        "detections": job_counts.c.detections + added.excluded.detections,
        "item_count": job_counts.c.item_count + added.excluded.item_count,
    }
    key = ["job_id", "label"]
    connection.execute(added.on_conflict_do_update(index_elements=key, set_=more))
