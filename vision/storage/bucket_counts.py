"""How often labels occur in stretches of a job's videos, from an index alone."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Connection, case, cast, func, select

from vision.domain.stored import BucketCount
from vision.storage.chunk_rows import frames_in_buckets
from vision.storage.columns import AnyRow
from vision.storage.tables import detections
from vision.storage.video_tables import chunk_frames


def bucket_counts(
    connection: Connection,
    job_id: UUID,
    *,
    bucket_seconds: float,
    item: int | None,
    label: str | None,
) -> tuple[BucketCount, ...]:
    """In order of time, then label; stretches in which nothing was found aren't there."""
    found = _found(connection, job_id, bucket_seconds=bucket_seconds, item=item, label=label)
    analysed = select(chunk_frames.c.frames, chunk_frames.c.packed).where(
        chunk_frames.c.job_id == job_id
    )
    if item is not None:
        analysed = analysed.where(chunk_frames.c.item == item)
    frames = frames_in_buckets(connection.execute(analysed), bucket_seconds)
    return tuple(_count(row, bucket_seconds, frames=frames.get(row.bucket, 0)) for row in found)


def _count(row: AnyRow, bucket_seconds: float, *, frames: int) -> BucketCount:
    return BucketCount(
        label=row.label,
        from_seconds=row.bucket * bucket_seconds,
        to_seconds=(row.bucket + 1) * bucket_seconds,
        detections=row.detections,
        tracks=row.tracks,
        frames=frames,
    )


def _found(
    connection: Connection,
    job_id: UUID,
    *,
    bucket_seconds: float,
    item: int | None,
    label: str | None,
) -> list[AnyRow]:
    bucket = _floor(connection, detections.c.pts_seconds / bucket_seconds).label("bucket")
    query = (
        select(
            bucket,
            detections.c.label,
            func.count().label("detections"),
            func.count(detections.c.track_id.distinct()).label("tracks"),
        )
        .where(detections.c.job_id == job_id, detections.c.pts_seconds.is_not(None))
        .group_by(bucket, detections.c.label)
        .order_by(bucket, detections.c.label)
    )
    if item is not None:
        query = query.where(detections.c.item == item)
    if label is not None:
        query = query.where(detections.c.label == label)
    return list(connection.execute(query))


def _floor(connection: Connection, number: ColumnElement[Any]) -> ColumnElement[Any]:
    if connection.dialect.name == "postgresql":
        return cast(func.floor(number), BigInteger)
    # SQLite may be built without floor(); its cast cuts towards zero.
    whole = cast(number, BigInteger)
    return whole - case((number < whole, 1), else_=0)
