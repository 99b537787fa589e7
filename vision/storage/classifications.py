"""Stored names of pictures and clips of a job: pages and streams."""

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, or_, select

from vision.domain.stored_findings import ClassificationFilter, Classified, StoredClassification
from vision.storage.classification_rows import stored_classification
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.detection_filters import as_float32
from vision.storage.finding_tables import classifications
from vision.storage.job_rows import STREAM_BATCH, JobRows
from vision.storage.pages import Page
from vision.storage.row_context import digests_of, items_of

_ROW = classifications.c
SUBJECTS = {
    Classified.FRAME: _ROW.frame_index.is_not(None),
    Classified.CLIP: _ROW.frame_index.is_(None) & _ROW.first_frame.is_not(None),
    Classified.IMAGE: _ROW.first_frame.is_(None),
}


class ClassificationStore:
    """Reads only: `UnitStore.commit` writes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = JobRows(database, classifications, cursor="job-classifications")

    def page(
        self, chosen: ClassificationFilter, *, limit: int, cursor: str | None = None
    ) -> Page[StoredClassification]:
        """In the job's order, the best first. Raises InvalidRequest for a bad cursor.

        Shorter than `limit` while rows of a page are being erased; `next` alone says if it's last.
        """
        query = select(classifications).where(*_conditions(self._database, chosen))
        with self._database.read() as connection:
            rows, following = self._rows.page(connection, query, chosen, limit=limit, cursor=cursor)
            found = tuple(_stored(connection, rows))
        return Page(found, following)

    def stream(self, chosen: ClassificationFilter) -> Iterator[StoredClassification]:
        """All of them in order, read in batches; no transaction stays open between."""
        cursor: str | None = None
        while True:
            page = self.page(chosen, limit=STREAM_BATCH, cursor=cursor)
            yield from page.items
            if page.next is None:
                return
            cursor = page.next


def _conditions(database: Database, chosen: ClassificationFilter) -> Iterator[ColumnElement[bool]]:
    if chosen.of is not None:
        yield or_(*(SUBJECTS[one] for one in sorted(chosen.of)))
    if chosen.label is not None:
        yield _ROW.label == chosen.label
    if chosen.min_score is not None:
        yield _ROW.score >= as_float32(database, chosen.min_score)
    if chosen.top is not None:
        yield _ROW.rank <= chosen.top
    yield from _places(chosen)


def _places(chosen: ClassificationFilter) -> Iterator[ColumnElement[bool]]:
    """A clip is chosen by any part of it."""
    if chosen.frame_index is not None:
        yield _ROW.first_frame <= chosen.frame_index
        yield _ROW.last_frame >= chosen.frame_index
    if chosen.from_seconds is not None:
        yield _ROW.to_seconds >= chosen.from_seconds
    if chosen.to_seconds is not None:
        yield _ROW.from_seconds < chosen.to_seconds


def _stored(connection: Connection, rows: Sequence[AnyRow]) -> Iterator[StoredClassification]:
    """Without rows whose item is just being erased."""
    items, digests = items_of(connection, rows), digests_of(connection, rows)
    for row in rows:
        item = items.get((row.job_id, row.item))
        if item is not None:
            yield stored_classification(row, item, digests=digests)
