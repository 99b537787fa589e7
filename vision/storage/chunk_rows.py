"""Which frames of a video were analysed, from the rows of its chunks."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, select

from vision.domain.video import FrameTimes
from vision.storage.columns import AnyRow
from vision.storage.frame_columns import FrameColumns
from vision.storage.video_tables import chunk_frames


@dataclass(frozen=True, slots=True)
class FrameRows:
    """Where the detections of one frame are stored."""

    chunk: int
    first_ord: int
    after_ord: int
    """Exclusive."""


def of_video(job_id: UUID, item: int) -> ColumnElement[bool]:
    """Rows of one video."""
    return and_(chunk_frames.c.job_id == job_id, chunk_frames.c.item == item)


def frame_times(connection: Connection, job_id: UUID, item: int) -> FrameTimes:
    """Of all analysed frames, in order."""
    query = select(chunk_frames).where(of_video(job_id, item)).order_by(chunk_frames.c.chunk)
    parts = [columns_of(row) for row in connection.execute(query)]
    return FrameTimes(
        np.concatenate([np.zeros(0, np.int64), *(one.frame_index for one in parts)]),
        np.concatenate([np.zeros(0, np.float64), *(one.pts_seconds for one in parts)]),
    )


def rows_shown_at(
    connection: Connection, job_id: UUID, item: int, *, at_seconds: float
) -> FrameRows | None:
    """Of the last analysed frame at or before that time; None before the first."""
    begun = of_video(job_id, item) & (chunk_frames.c.first_seconds <= at_seconds)
    # Chunks may begin at the same time: the later one was shown last.
    latest = (chunk_frames.c.first_seconds.desc(), chunk_frames.c.chunk.desc())
    query = select(chunk_frames).where(begun).order_by(*latest).limit(1)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    columns = columns_of(row)
    place = int(np.searchsorted(columns.pts_seconds, at_seconds, side="right")) - 1
    first = int(columns.detections[:place].sum())
    return FrameRows(row.chunk, first, first + int(columns.detections[place]))


def frames_in_buckets(rows: Iterable[AnyRow], bucket_seconds: float) -> dict[int, int]:
    """Analysed frames by number of the bucket, over all those chunks."""
    counted: dict[int, int] = {}
    for row in rows:
        seconds = columns_of(row).pts_seconds
        buckets, frames = np.unique(np.floor(seconds / bucket_seconds), return_counts=True)
        for bucket, count in zip(buckets.tolist(), frames.tolist(), strict=True):
            counted[int(bucket)] = counted.get(int(bucket), 0) + count
    return counted


def columns_of(row: AnyRow) -> FrameColumns:
    """From a row with its `frames` and `packed`."""
    return FrameColumns.unpacked(row.packed, row.frames)
