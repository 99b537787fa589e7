"""Stored tracks, and what following objects starts from."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from sys import intern
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, select

from vision.domain.stored import StoredTrack, TrackFilter
from vision.domain.track import NO_TRACK, DetectionColumns
from vision.domain.video import FrameTimes
from vision.storage.chunk_rows import frame_times, of_video
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.pages import Page, decode_cursor, encode_cursor
from vision.storage.tables import detections, items, jobs
from vision.storage.track_results import tracks_of
from vision.storage.track_rows import stored_track
from vision.storage.video_tables import CROPS, chunk_frames, derived_blobs, tracks

CURSOR = "tracks"
STREAM_BATCH = 500
EDGES = ("x1", "y1", "x2", "y2")

EMPTY = DetectionColumns(
    chunk=np.zeros(0, np.int64),
    ord=np.zeros(0, np.int64),
    frame_index=np.zeros(0, np.int64),
    pts_seconds=np.zeros(0, np.float64),
    boxes=np.zeros((0, 4), np.float32),
    scores=np.zeros(0, np.float32),
    class_ids=np.zeros(0, np.int64),
    labels=np.zeros(0, object),
)


class TrackStore:
    """Reads only: `UnitStore.commit` writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, chosen: TrackFilter, *, limit: int, cursor: str | None = None
    ) -> Page[StoredTrack]:
        """In order of item and first appearance. Raises InvalidRequest for a bad cursor."""
        with self._database.read() as connection:
            query = _chosen(connection, chosen)
            if cursor is not None:
                after = decode_cursor(cursor, CURSOR, (int,))[0]
                query = query.where(tracks.c.track_id > after)
            ordered = query.order_by(tracks.c.track_id).limit(limit + 1)
            rows = connection.execute(ordered).all()
            shown = rows[:limit]
            found = _with_items(connection, shown)
        following = encode_cursor(CURSOR, shown[-1].track_id) if len(rows) > limit else None
        return Page(found, following)

    def stream(self, chosen: TrackFilter) -> Iterator[StoredTrack]:
        """All of them in order, read in batches; no transaction stays open between."""
        cursor: str | None = None
        while True:
            page = self.page(chosen, limit=STREAM_BATCH, cursor=cursor)
            yield from page.items
            if page.next is None:
                return
            cursor = page.next

    def columns(self, job_id: UUID, item: int) -> DetectionColumns:
        """All detections of one video in stored order, which is order of time."""
        query = select(chunk_frames.c.chunk).where(of_video(job_id, item))
        with self._database.read() as connection:
            chunks = connection.execute(query.order_by(chunk_frames.c.chunk)).scalars().all()
            rows = [_chunk_columns(connection, job_id, item=item, chunk=one) for one in chunks]
        return _joined(rows)

    def track_ids(self, job_id: UUID, item: int) -> NDArray[np.int64]:
        """(n,) int64 of all detections of one video in stored order; NO_TRACK for none."""
        query = select(detections.c.track_id).where(
            detections.c.job_id == job_id,
            detections.c.item == item,
            detections.c.frame_index.is_not(None),
        )
        in_order = query.order_by(detections.c.chunk, detections.c.ord)
        with self._database.read() as connection:
            found = connection.execute(in_order).scalars().all()
        return np.array([NO_TRACK if one is None else one for one in found], np.int64)

    def frame_times(self, job_id: UUID, item: int) -> FrameTimes:
        """Of all analysed frames of one video, also those in which nothing was found."""
        with self._database.read() as connection:
            return frame_times(connection, job_id, item)


def _chosen(connection: Connection, chosen: TrackFilter) -> Select[Any]:
    """Joined with its item, which a job that is being erased no longer has."""
    query = (
        select(tracks, items.c.asset_id, items.c.facts)
        .join(items, (items.c.job_id == tracks.c.job_id) & (items.c.item == tracks.c.item))
        .join(jobs, jobs.c.id == tracks.c.job_id)
        .where(tracks.c.job_id == chosen.job_id, jobs.c.tenant == chosen.tenant)
    )
    if chosen.asset_id is not None:
        # An asset is one item; its tracks lie together in the primary key.
        low, high = tracks_of(_index_of(connection, chosen))
        query = query.where(tracks.c.track_id.between(low, high))
    for name in ("track_id", "label"):
        wanted = getattr(chosen, name)
        if wanted is not None:
            query = query.where(tracks.c[name] == wanted)
    if chosen.from_seconds is not None:
        query = query.where(tracks.c.last_seconds >= chosen.from_seconds)
    if chosen.to_seconds is not None:
        query = query.where(tracks.c.first_seconds < chosen.to_seconds)
    if chosen.min_detections is not None:
        query = query.where(tracks.c.detections >= chosen.min_detections)
    return query


def _index_of(connection: Connection, chosen: TrackFilter) -> int:
    """-1, which no track has, for an asset that isn't in the job."""
    query = select(items.c.item).where(
        items.c.job_id == chosen.job_id, items.c.asset_id == chosen.asset_id
    )
    found = connection.execute(query).scalar_one_or_none()
    return -1 if found is None else int(found)


def _with_items(connection: Connection, rows: Sequence[AnyRow]) -> tuple[StoredTrack, ...]:
    if not rows:
        return ()
    query = select(derived_blobs.c.item, derived_blobs.c.blob_key).where(
        derived_blobs.c.job_id == rows[0].job_id,
        derived_blobs.c.item.in_({row.item for row in rows}),
        derived_blobs.c.kind == CROPS,
    )
    crops = {row.item: row.blob_key for row in connection.execute(query)}
    return tuple(stored_track(row, row, crops_blob_key=crops.get(row.item)) for row in rows)


def _chunk_columns(
    connection: Connection, job_id: UUID, *, item: int, chunk: int
) -> DetectionColumns:
    names = ("ord", "frame_index", "pts_seconds", "score", "class_id", "label", *EDGES)
    query = select(*(detections.c[name] for name in names)).where(
        detections.c.job_id == job_id, detections.c.item == item, detections.c.chunk == chunk
    )
    rows = connection.execute(query.order_by(detections.c.ord)).all()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    order, frames, seconds, scores, class_ids, labels, *edges = columns
    return DetectionColumns(
        chunk=np.full(len(rows), chunk, np.int64),
        ord=np.array(order, np.int64),
        frame_index=np.array(frames, np.int64),
        pts_seconds=np.array(seconds, np.float64),
        boxes=np.array(edges, np.float32).reshape(len(EDGES), -1).T,
        scores=np.array([1.0 if one is None else one for one in scores], np.float32),
        class_ids=np.array(class_ids, np.int64),
        # A million rows have a handful of labels: keep each text once.
        labels=np.array([intern(one) for one in labels], object),
    )


def _joined(parts: Sequence[DetectionColumns]) -> DetectionColumns:
    """Of no part too."""
    names = [field.name for field in fields(DetectionColumns)]
    whole = [EMPTY, *parts]
    return DetectionColumns(
        **{name: np.concatenate([getattr(one, name) for one in whole]) for name in names}
    )
