"""Storing detections, against SQLAlchemy core's insert of the same rows."""

from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from vision.cli.bench.measure import Figure, at_least, interleaved
from vision.cli.bench.stored_rows import Batch, batch, new_job
from vision.domain.job import DEFAULT_TENANT
from vision.storage.database import Database
from vision.storage.tables import detections

ROWS = 20_000
TARGETS = {True: 2.5, False: 1.0}
"""By whether it is PostgreSQL: COPY there, the driver's executemany on SQLite."""


def run(database: Database, *, name: str) -> Figure:
    """Both store equal rows in one transaction each; converting them counts for both."""
    rows = batch(ROWS)
    job = new_job(database)
    chunks = count()
    seconds = interleaved(
        {
            "ours": lambda: _ours(database, rows, job=job, chunk=next(chunks)),
            "core": lambda: _core(database, rows, job=job, chunk=next(chunks)),
        }
    )
    return at_least(
        f"Storing detections with masks, {name}",
        ours=f"{rows.rows / seconds['ours']:,.0f} rows/s",
        reference=f"SQLAlchemy core: {rows.rows / seconds['core']:,.0f} rows/s",
        ratio=seconds["core"] / seconds["ours"],
        target=TARGETS[database.is_postgresql],
    )


def _ours(database: Database, rows: Batch, *, job: UUID, chunk: int) -> None:
    with database.begin() as connection:
        rows.insert(database, connection, job=job, chunk=chunk)


def _core(database: Database, rows: Batch, *, job: UUID, chunk: int) -> None:
    with database.begin() as connection:
        connection.execute(insert(detections), _as_dicts(rows, job=job, chunk=chunk))


def _as_dicts(rows: Batch, *, job: UUID, chunk: int) -> list[dict[str, Any]]:
    """What one would write by hand."""
    return [
        {
            "job_id": job,
            "item": item,
            "chunk": chunk,
            "ord": order,
            "id": ((chunk + 1) * 1_000_000 + item * 10_000 + order),
            "tenant": DEFAULT_TENANT,
            "label": row.label,
            "class_id": row.class_id,
            "score": row.score,
            "x1": row.box[0],
            "y1": row.box[1],
            "x2": row.box[2],
            "y2": row.box[3],
            "mask": row.mask.counts if row.mask else None,
        }
        for item, found in rows.found.items()
        for order, row in enumerate(found)
    ]
