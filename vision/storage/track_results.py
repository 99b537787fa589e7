"""What came of following objects: in place of what was there. The caller holds the job's row."""

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
    delete,
    func,
    select,
    text,
    update,
)

from vision.domain.job import TrackResult
from vision.domain.track import NO_TRACK, TRACKS_PER_ITEM
from vision.storage.bulk import insert_columns
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.derived_blobs import doom_derived, keep_derived, of_item
from vision.storage.renders import drop_render
from vision.storage.tables import detections, items
from vision.storage.track_rows import track_columns
from vision.storage.video_tables import CROPS, chunk_frames, tracks

CROP_TYPE = "image/jpeg"

track_numbers = Table(
    # Temporary: a million numbers are joined in seconds, one by one they would take minutes.
    "track_numbers",
    MetaData(),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("ord", Integer, primary_key=True, autoincrement=False),
    Column("track_id", BigInteger, nullable=False),
    prefixes=["TEMPORARY"],
)


def store_tracks(
    database: Database, connection: Connection, result: TrackResult, *, job: AnyRow
) -> None:
    """Raises ValueError when the numbers aren't those of this video's detections."""
    item = result.lease.item
    _require_of_item(result, item)
    _number_detections(connection, result)
    connection.execute(delete(tracks).where(tracks.c.job_id == job.id, tracks.c.item == item))
    insert_columns(connection, tracks, track_columns(job.id, item, result))
    doom_derived(database, connection, of_item(job.id, item, CROPS))
    if result.crops_blob_key is not None:
        _keep_crops(connection, result, job.id)
    drop_render(database, connection, job.id, item)
    mine = (items.c.job_id == job.id) & (items.c.item == item)
    told = {"track_parameters": dict(result.parameters)}
    connection.execute(update(items).where(mine).values(told))


def tracks_of(item: int) -> tuple[int, int]:
    """The lowest and the highest number of a track of this item."""
    return item * TRACKS_PER_ITEM + 1, (item + 1) * TRACKS_PER_ITEM - 1


def _require_of_item(result: TrackResult, item: int) -> None:
    low, high = tracks_of(item)
    known = {one.track_id for one in result.tracks}
    if any(not low <= one <= high for one in known):
        raise ValueError(f"tracks of item {item} have numbers from {low} to {high}")
    used = np.unique(result.track_ids[result.track_ids != NO_TRACK])
    if not known.issuperset(used.tolist()):
        raise ValueError("a detection belongs to a track that isn't there")


def _keep_crops(connection: Connection, result: TrackResult, job_id: UUID) -> None:
    last = max((sum(crop) for crop in result.crops if crop is not None), default=0)
    keep_derived(
        connection,
        job_id=job_id,
        item=result.lease.item,
        kind=CROPS,
        blob_key=result.crops_blob_key,
        size_bytes=last,
        media_type=CROP_TYPE,
    )


def _number_detections(connection: Connection, result: TrackResult) -> None:
    chunk, order = _stored_order(connection, result)
    numbers = result.track_ids.tolist()
    if len(numbers) != len(chunk):
        raise ValueError(f"{len(numbers)} numbers of tracks for {len(chunk)} detections")
    track_numbers.create(connection)
    columns = {"chunk": chunk.tolist(), "ord": order.tolist(), "track_id": numbers}
    insert_columns(connection, track_numbers, columns)
    if connection.dialect.name == "postgresql":
        connection.execute(text("analyze track_numbers"))
    number = func.nullif(track_numbers.c.track_id, NO_TRACK)
    changed = update(detections).where(
        detections.c.job_id == result.lease.job_id,
        detections.c.item == result.lease.item,
        detections.c.chunk == track_numbers.c.chunk,
        detections.c.ord == track_numbers.c.ord,
        detections.c.track_id.is_distinct_from(number),
    )
    connection.execute(changed.values(track_id=number))
    track_numbers.drop(connection)


def _stored_order(
    connection: Connection, result: TrackResult
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Chunk and place in it of every stored detection of the video, in order."""
    mine = (chunk_frames.c.job_id == result.lease.job_id) & (
        chunk_frames.c.item == result.lease.item
    )
    query = select(chunk_frames.c.chunk, chunk_frames.c.detections).where(mine)
    rows = connection.execute(query.order_by(chunk_frames.c.chunk)).all()
    counts = np.array([row.detections for row in rows], np.int64)
    chunks = np.repeat(np.array([row.chunk for row in rows], np.int64), counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return chunks, np.arange(len(chunks)) - starts
