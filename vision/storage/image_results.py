"""What came of a shard of images, to rows."""

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from vision.domain.detections import Detections
from vision.domain.image import ImageSize
from vision.domain.job import ItemResult, UnitResult
from vision.domain.states import ItemState
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.detection_rows import insert_detections
from vision.storage.label_counts import add_counts
from vision.storage.provenance_rows import provenance_row
from vision.storage.rows import facts_to_json, size_from_json
from vision.storage.tables import items, jobs

NOTHING: Mapping[str, int] = MappingProxyType({})


def store_images(
    database: Database, connection: Connection, result: UnitResult, *, job: AnyRow
) -> None:
    """The caller holds the job's row and has made the unit done."""
    sizes = _sizes(connection, result)
    kept = [one for one in result.items if one.index in sizes]
    provenance_id = provenance_row(database, connection, job.id, result.provenance)
    _update_items(connection, job.id, kept, provenance_id)
    found = {one.index: one.detections for one in kept if one.detections is not None}
    for index, one in found.items():
        require_masks_of_size(one, sizes[index])
    same = {
        "job_id": job.id,
        "chunk": result.lease.chunk,
        "tenant": job.tenant,
        "provenance_id": provenance_id,
    }
    insert_detections(database, connection, found, same=same)
    counted = [(one.label_counts(), NOTHING) for one in found.values()]
    add_counts(database, connection, job.id, counted)
    ended = {
        "items_done": jobs.c.items_done + len(found),
        "items_failed": jobs.c.items_failed + len(kept) - len(found),
    }
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(ended))


def _sizes(connection: Connection, result: UnitResult) -> dict[int, ImageSize]:
    """Of the items that still exist: an asset may have been erased while it was worked on."""
    indexes = [one.index for one in result.items]
    query = select(items.c.item, items.c.facts).where(
        items.c.job_id == result.lease.job_id, items.c.item.in_(indexes)
    )
    known = {row.item: size_from_json(row.facts) for row in connection.execute(query)}
    seen = {one.index: one.facts.size for one in result.items if one.facts is not None}
    return {index: seen.get(index, size) for index, size in known.items()}


def require_masks_of_size(found: Detections, size: ImageSize) -> None:
    """Masks are stored without their size: it has to be the item's. Raises ValueError."""
    for mask in found.masks or ():
        if mask.size != size:
            raise ValueError(f"a mask of {mask.size} in a picture of {size}")


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
