"""Stored detections: pages, streams, counts."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, null, select, tuple_

from vision.domain.job import DEFAULT_TENANT
from vision.domain.stored import BucketCount, DetectionFilter, LabelCount, StoredDetection
from vision.storage.bucket_counts import bucket_counts
from vision.storage.chunk_rows import FrameRows, rows_shown_at
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.detection_filters import conditions, is_in_chunks, names_film
from vision.storage.detection_rows import stored_detection
from vision.storage.embedding_rows import IDS_PER_QUERY, vectors_of
from vision.storage.pages import Page, decode_cursor, encode_cursor
from vision.storage.row_context import digests_of, items_of
from vision.storage.rows import size_from_json
from vision.storage.tables import detections, items, job_counts, jobs
from vision.storage.video_tables import chunk_frames

STREAM_BATCH = 2000
JOB_CURSOR = "job-detections"
NEWEST_CURSOR = "detections"
IN_JOB = (detections.c.item, detections.c.chunk, detections.c.ord)
OF_CHUNK = (chunk_frames.c.item, chunk_frames.c.chunk)


class DetectionStore:
    """Reads only: `UnitStore.commit` writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        chosen: DetectionFilter,
        *,
        limit: int,
        cursor: str | None = None,
        include_masks: bool = False,
        include_keypoints: bool = False,
        include_embeddings: bool = False,
    ) -> Page[StoredDetection]:
        """In the filter's order. Raises InvalidRequest for a bad cursor.

        Shorter than `limit` while rows of a page are being erased; `next` alone says if it's last.
        """
        columns = _columns(masks=include_masks, keypoints=include_keypoints)
        with self._database.read() as connection:
            is_in_film = names_film(connection, chosen)
            where = conditions(self._database, chosen, is_in_film=is_in_film)
            query = _ordered(columns.where(*where), chosen, cursor)
            rows = connection.execute(query.limit(limit + 1)).all()
            shown = rows[:limit]
            found = _with_items(connection, shown, embeddings=include_embeddings)
        following = _cursor(shown[-1], chosen) if len(rows) > limit else None
        return Page(tuple(found), following)

    def stream(
        self,
        chosen: DetectionFilter,
        *,
        include_masks: bool = True,
        include_keypoints: bool = True,
        include_embeddings: bool = False,
    ) -> Iterator[StoredDetection]:
        """All of them in the filter's order, read in batches; no transaction stays open between."""
        cursor: str | None = None
        while True:
            page = self.page(
                chosen,
                limit=STREAM_BATCH,
                cursor=cursor,
                include_masks=include_masks,
                include_keypoints=include_keypoints,
                include_embeddings=include_embeddings,
            )
            yield from page.items
            if page.next is None:
                return
            cursor = page.next

    def counts(self, job_id: UUID, tenant: str = DEFAULT_TENANT) -> tuple[LabelCount, ...]:
        """Per label of one job, most frequent first; kept at write time, so always quick."""
        query = (
            select(job_counts)
            .join(jobs, jobs.c.id == job_counts.c.job_id)
            .where(job_counts.c.job_id == job_id, jobs.c.tenant == tenant)
            .order_by(job_counts.c.detections.desc(), job_counts.c.label)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(LabelCount(row.label, row.detections, row.item_count) for row in rows)

    def bucket_counts(
        self,
        job_id: UUID,
        tenant: str = DEFAULT_TENANT,
        *,
        bucket_seconds: float,
        asset_id: UUID | None = None,
        label: str | None = None,
    ) -> tuple[BucketCount, ...]:
        """Per stretch of a job's videos and label, in order of time and then of label.

        Bucket n is from n to n + 1 times `bucket_seconds` on the clock of each video; those in
        which nothing was found aren't there. Nothing for an unknown job.
        """
        with self._database.read() as connection:
            if not _is_visible(connection, job_id, tenant):
                return ()
            item = None
            if asset_id is not None:
                item = _item_of_asset(connection, job_id, asset_id)
                if item is None:
                    return ()
            return bucket_counts(
                connection, job_id, bucket_seconds=bucket_seconds, item=item, label=label
            )

    def at(
        self,
        job_id: UUID,
        asset_id: UUID,
        tenant: str = DEFAULT_TENANT,
        *,
        at_seconds: float,
        include_masks: bool = True,
        include_keypoints: bool = True,
    ) -> tuple[StoredDetection, ...]:
        """Of the last analysed frame of a video at or before that time, in the model's order."""
        with self._database.read() as connection:
            item = _item_of_asset(connection, job_id, asset_id)
            if item is None or not _is_visible(connection, job_id, tenant):
                return ()
            shown = rows_shown_at(connection, job_id, item, at_seconds=at_seconds)
            if shown is None:
                return ()
            columns = _columns(masks=include_masks, keypoints=include_keypoints)
            rows = connection.execute(_of_frame(columns, job_id, item=item, shown=shown)).all()
            return tuple(_with_items(connection, rows))


def detections_by_id(
    connection: Connection, tenant: str, ids: Sequence[int]
) -> dict[int, StoredDetection]:
    """Those that there are, without masks and keypoints."""
    columns = _columns(masks=False, keypoints=False).where(detections.c.tenant == tenant)
    rows: list[AnyRow] = []
    for start in range(0, len(ids), IDS_PER_QUERY):
        some = detections.c.id.in_(ids[start : start + IDS_PER_QUERY])
        rows += connection.execute(columns.where(some)).all()
    return {one.id: one for one in _with_items(connection, rows)}


def _columns(*, masks: bool, keypoints: bool) -> Select[Any]:
    """Masks and keypoints are most of the bytes: only when wanted."""
    left_out = {name for name, wanted in (("mask", masks), ("keypoints", keypoints)) if not wanted}
    return select(
        *(null().label(one.name) if one.name in left_out else one for one in detections.c)
    )


def _of_frame(query: Select[Any], job_id: UUID, *, item: int, shown: FrameRows) -> Select[Any]:
    mine = (
        detections.c.job_id == job_id,
        detections.c.item == item,
        detections.c.chunk == shown.chunk,
        detections.c.ord >= shown.first_ord,
        detections.c.ord < shown.after_ord,
    )
    return query.where(*mine).order_by(detections.c.ord)


def _is_visible(connection: Connection, job_id: UUID, tenant: str) -> bool:
    query = select(jobs.c.id).where(
        jobs.c.id == job_id, jobs.c.tenant == tenant, jobs.c.erasing.is_(False)
    )
    return connection.execute(query).one_or_none() is not None


def _item_of_asset(connection: Connection, job_id: UUID, asset_id: UUID) -> int | None:
    query = select(items.c.item).where(items.c.job_id == job_id, items.c.asset_id == asset_id)
    return connection.execute(query).scalar_one_or_none()


def _ordered(query: Select[Any], chosen: DetectionFilter, cursor: str | None) -> Select[Any]:
    """After the cursor, in the filter's order; each order has its index."""
    if chosen.job_id is not None:
        if cursor is not None:
            item, chunk, place = decode_cursor(cursor, JOB_CURSOR, (int, int, int))
            query = query.where(tuple_(*IN_JOB) > tuple_(item, chunk, place))
            if is_in_chunks(chosen):
                # The same of the chunks: the database doesn't conclude from one to the other.
                query = query.where(tuple_(*OF_CHUNK) >= tuple_(item, chunk))
        return query.order_by(*_job_order(chosen))
    if cursor is not None:
        query = query.where(detections.c.id < decode_cursor(cursor, NEWEST_CURSOR, (int,))[0])
    return query.order_by(detections.c.id.desc())


def _job_order(chosen: DetectionFilter) -> tuple[ColumnElement[Any], ...]:
    """Always the job's order, in the words of the index that leads to the rows."""
    if chosen.track_id is not None:
        # A track is in one video, in which later chunks have later frames.
        return (detections.c.pts_seconds, detections.c.chunk, detections.c.ord)
    return (*OF_CHUNK, detections.c.ord) if is_in_chunks(chosen) else IN_JOB


def _cursor(row: AnyRow, chosen: DetectionFilter) -> str:
    if chosen.job_id is not None:
        return encode_cursor(JOB_CURSOR, row.item, row.chunk, row.ord)
    return encode_cursor(NEWEST_CURSOR, row.id)


def _with_items(
    connection: Connection, rows: Sequence[AnyRow], *, embeddings: bool = False
) -> Iterator[StoredDetection]:
    """Rows without an item belong to a job that is being erased."""
    found = items_of(connection, rows)
    sizes = {key: size_from_json(item.facts) for key, item in found.items()}
    digests = digests_of(connection, rows)
    vectors = vectors_of(connection, rows) if embeddings else {}
    return (
        stored_detection(
            row, found[key], size=sizes[key], digests=digests, embedding=vectors.get(row.id)
        )
        for row in rows
        if (key := (row.job_id, row.item)) in found
    )
