"""What came of a shard of images, to rows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from vision.domain.detections import Detections
from vision.domain.image import ImageSize
from vision.domain.job import ItemResult, UnitResult
from vision.domain.states import ItemState
from vision.storage.classification_rows import NamedPart, best_names, insert_classifications
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.detection_rows import insert_detections
from vision.storage.embedding_rows import StoredPicture, embedding_count, insert_embeddings
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
    ids = insert_detections(database, connection, found, same=same)
    pictures = _pictures(kept, ids)
    insert_embeddings(connection, pictures, provenance=result.provenance, same=same)
    insert_classifications(connection, [part for one in kept for part in _named(one)], same=same)
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


def _pictures(kept: Sequence[ItemResult], ids: Sequence[int]) -> list[StoredPicture]:
    """Each with the ids of its own detections."""
    following = iter(ids)
    return [
        StoredPicture(
            one.index, one.findings, list(islice(following, len(one.findings.detections)))
        )
        for one in kept
        if one.findings is not None
    ]


def _named(one: ItemResult) -> list[NamedPart]:
    """One, or none when nobody was asked for names."""
    if one.findings is None or one.findings.classes is None:
        return []
    return [NamedPart(one.index, one.findings.classes)]


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
    if one.findings is None:
        assert one.failure is not None
        failure = {"error_code": one.failure.code, "error_detail": one.failure.detail}
        return {"state": ItemState.FAILED.value, **failure, **facts}
    names = best_names(_named(one))
    return {
        "state": ItemState.DONE.value,
        "detections": len(one.findings.detections),
        "counts": one.findings.detections.label_counts(),
        "embeddings": embedding_count(one.findings),
        # Not None: that would become JSON's null, which isn't NULL.
        **({} if names is None else {"classes": names}),
        "provenance_id": provenance_id,
        **facts,
    }
