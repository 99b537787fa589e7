"""Stored vectors of a job: pages and streams."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, null, or_, select

from vision.domain.stored_findings import Embedded, EmbeddingFilter, StoredEmbedding
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.detections import detections_by_id
from vision.storage.embedding_rows import stored_embedding
from vision.storage.finding_tables import embeddings
from vision.storage.job_rows import STREAM_BATCH, JobRows
from vision.storage.pages import Page
from vision.storage.row_context import digests_of, items_of

SUBJECTS = {
    Embedded.DETECTION: embeddings.c.detection_id.is_not(None),
    Embedded.FRAME: embeddings.c.detection_id.is_(None) & embeddings.c.frame_index.is_not(None),
    Embedded.IMAGE: embeddings.c.detection_id.is_(None) & embeddings.c.frame_index.is_(None),
}


class EmbeddingStore:
    """Reads only: `UnitStore.commit` writes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = JobRows(database, embeddings, cursor="job-embeddings")

    def page(
        self,
        chosen: EmbeddingFilter,
        *,
        limit: int,
        cursor: str | None = None,
        include_vectors: bool = True,
    ) -> Page[StoredEmbedding]:
        """In the job's order. Raises InvalidRequest for a bad cursor.

        Shorter than `limit` while rows of a page are being erased; `next` alone says if it's last.
        """
        query = _columns(vectors=include_vectors).where(*_conditions(chosen))
        with self._database.read() as connection:
            if chosen.detection_id is not None:
                rows, following = self._rows.single(connection, query, chosen), None
            else:
                rows, following = self._rows.page(
                    connection, query, chosen, limit=limit, cursor=cursor
                )
            found = tuple(_stored(connection, rows, chosen.tenant))
        return Page(found, following)

    def stream(
        self, chosen: EmbeddingFilter, *, include_vectors: bool = True
    ) -> Iterator[StoredEmbedding]:
        """All of them in order, read in batches; no transaction stays open between."""
        cursor: str | None = None
        while True:
            page = self.page(
                chosen, limit=STREAM_BATCH, cursor=cursor, include_vectors=include_vectors
            )
            yield from page.items
            if page.next is None:
                return
            cursor = page.next


def _columns(*, vectors: bool) -> Select[Any]:
    """Vectors are most of the bytes: only when wanted."""
    left_out = set() if vectors else {"vector"}
    return select(
        *(null().label(one.name) if one.name in left_out else one for one in embeddings.c)
    )


def _conditions(chosen: EmbeddingFilter) -> Iterator[ColumnElement[bool]]:
    if chosen.of is not None:
        yield or_(*(SUBJECTS[one] for one in sorted(chosen.of)))
    if chosen.detection_id is not None:
        # In the words of the index.
        yield embeddings.c.detection_id.is_not(None)
        yield embeddings.c.detection_id == chosen.detection_id
    if chosen.frame_index is not None:
        yield embeddings.c.frame_index == chosen.frame_index
    if chosen.from_seconds is not None:
        yield embeddings.c.pts_seconds >= chosen.from_seconds
    if chosen.to_seconds is not None:
        yield embeddings.c.pts_seconds < chosen.to_seconds


def _stored(
    connection: Connection, rows: Sequence[AnyRow], tenant: str
) -> Iterator[StoredEmbedding]:
    """Without rows whose item or detection is just being erased."""
    ids = [row.detection_id for row in rows if row.detection_id is not None]
    known = detections_by_id(connection, tenant, ids)
    items, digests = items_of(connection, rows), digests_of(connection, rows)
    for row in rows:
        item = items.get((row.job_id, row.item))
        detection = known.get(row.detection_id)
        if item is not None and (row.detection_id is None or detection is not None):
            yield stored_embedding(row, item, detection=detection, digests=digests)
