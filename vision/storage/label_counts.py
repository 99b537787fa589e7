"""Detections and items per label of a job, kept up by every commit."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import Connection

from vision.storage.database import Database
from vision.storage.tables import job_counts


def add_counts(
    database: Database,
    connection: Connection,
    job_id: UUID,
    found: Iterable[tuple[Mapping[str, int], Mapping[str, int]]],
) -> None:
    """Of each item: what is new, and what it had before, which was counted already."""
    totals: dict[str, tuple[int, int]] = {}
    for more, before in found:
        for label, count in more.items():
            detections, items = totals.get(label, (0, 0))
            totals[label] = (detections + count, items + (label not in before))
    if not totals:
        return
    rows = [
        {"job_id": job_id, "label": label, "detections": detections, "item_count": items}
        for label, (detections, items) in totals.items()
    ]
    added = database.insert(job_counts).values(rows)
    more_rows = {
        "detections": job_counts.c.detections + added.excluded.detections,
        "item_count": job_counts.c.item_count + added.excluded.item_count,
    }
    key = ["job_id", "label"]
    connection.execute(added.on_conflict_do_update(index_elements=key, set_=more_rows))
