"""Every detection of a video gets the number of its track: a million rows in one statement."""

from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Update,
    func,
    select,
    text,
    update,
)

from vision.domain.track import NO_TRACK
from vision.storage.bulk import insert_columns
from vision.storage.chunk_rows import of_video
from vision.storage.tables import detections
from vision.storage.video_tables import chunk_frames

STATEMENT_SECONDS = 600
"""In place of the usual limit: PostgreSQL writes a million rows and their indexes in half a minute,
on two busy cores and one disk."""
CACHE_KIB = 131_072
"""SQLite's own 2 MiB make its pages come and go: three times as slow."""

track_numbers = Table(
    "track_numbers",
    MetaData(),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("ord", Integer, primary_key=True, autoincrement=False),
    Column("track_id", BigInteger, nullable=False),
    prefixes=["TEMPORARY"],
)


def number_detections(
    connection: Connection, job_id: UUID, item: int, *, numbers: NDArray[np.int64]
) -> None:
    """In stored order. Raises ValueError when they aren't as many as the detections."""
    mine = of_video(job_id, item)
    query = select(chunk_frames.c.chunk, chunk_frames.c.detections).where(mine)
    rows = connection.execute(query.order_by(chunk_frames.c.chunk)).all()
    counts = np.array([row.detections for row in rows], np.int64)
    if counts.sum() != len(numbers):
        raise ValueError(f"{len(numbers)} numbers of tracks for {counts.sum()} detections")
    chunks = np.array([row.chunk for row in rows], np.int64)
    write = _from_table if connection.dialect.name == "postgresql" else _from_memory
    write(connection, job_id, item, numbers=numbers, chunks=chunks, counts=counts)


def _from_table(
    connection: Connection,
    job_id: UUID,
    item: int,
    *,
    numbers: NDArray[np.int64],
    chunks: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Copied into a temporary table and joined."""
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    columns = {
        "chunk": np.repeat(chunks, counts).tolist(),
        "ord": (np.arange(len(numbers)) - starts).tolist(),
        "track_id": numbers.tolist(),
    }
    connection.execute(text(f"set local statement_timeout = {STATEMENT_SECONDS * 1000}"))
    track_numbers.create(connection)
    insert_columns(connection, track_numbers, columns)
    connection.execute(text("analyze track_numbers"))
    connection.execute(_copied_numbers(job_id, item))
    track_numbers.drop(connection)


def _copied_numbers(job_id: UUID, item: int) -> Update:
    number = func.nullif(track_numbers.c.track_id, NO_TRACK)
    changed = update(detections).where(
        detections.c.job_id == job_id,
        detections.c.item == item,
        detections.c.chunk == track_numbers.c.chunk,
        detections.c.ord == track_numbers.c.ord,
        detections.c.track_id.is_distinct_from(number),
    )
    return changed.values(track_id=number)


def _from_memory(
    connection: Connection,
    job_id: UUID,
    item: int,
    *,
    numbers: NDArray[np.int64],
    chunks: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """SQLite runs in this process: it asks for each row, which is twice as fast as a join."""
    starts = dict(zip(chunks.tolist(), (np.cumsum(counts) - counts).tolist(), strict=True))
    found = [None if number == NO_TRACK else number for number in numbers.tolist()]
    driver: Any = connection.connection.driver_connection
    cache = connection.exec_driver_sql("pragma cache_size").scalar_one()
    driver.create_function("track_number", 2, lambda chunk, place: found[starts[chunk] + place])
    try:
        connection.exec_driver_sql(f"pragma cache_size = -{CACHE_KIB}")
        number = func.track_number(detections.c.chunk, detections.c.ord)
        mine = (detections.c.job_id == job_id) & (detections.c.item == item)
        connection.execute(update(detections).where(mine).values(track_id=number))
    finally:
        connection.exec_driver_sql(f"pragma cache_size = {cache}")
        driver.create_function("track_number", 2, None)
