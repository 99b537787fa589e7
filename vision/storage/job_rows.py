"""One page of a job's rows of any kind, in the job's order: item, chunk, place in the chunk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, Table, select, tuple_

from vision.storage.chunk_filters import InVideo, in_chunks, names_a_place
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.pages import decode_cursor, encode_cursor
from vision.storage.tables import items
from vision.storage.video_tables import chunk_frames

STREAM_BATCH = 500
"""Rows read at once: of vectors about 2 MB."""
OF_CHUNK = (chunk_frames.c.item, chunk_frames.c.chunk)


class InJob(InVideo, Protocol):
    """A filter of one job's rows."""

    @property
    def tenant(self) -> str: ...

    @property
    def asset_id(self) -> UUID | None: ...


@dataclass(frozen=True, slots=True)
class JobRows:
    """A table keyed by job, item, chunk and ord, with its tenant in every row."""

    database: Database
    table: Table
    cursor: str
    """Kind of its cursors."""

    def page(
        self,
        connection: Connection,
        query: Select[Any],
        chosen: InJob,
        *,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[AnyRow], str | None]:
        """At most `limit` rows, and the cursor of the next page. Raises InvalidRequest."""
        ordered = self._ordered(query.where(*self._conditions(connection, chosen)), chosen, cursor)
        rows = connection.execute(ordered.limit(limit + 1)).all()
        shown = rows[:limit]
        if len(rows) <= limit:
            return shown, None
        last = shown[-1]
        return shown, encode_cursor(self.cursor, last.item, last.chunk, last.ord)

    def single(self, connection: Connection, query: Select[Any], chosen: InJob) -> Sequence[AnyRow]:
        """Of a query that an index leads to one row at most: in no order, which SQLite would rather
        have than that index."""
        return connection.execute(query.where(*self._conditions(connection, chosen))).all()

    def _conditions(self, connection: Connection, chosen: InJob) -> list[ColumnElement[bool]]:
        columns = self.table.c
        found = [columns.tenant == chosen.tenant, columns.job_id == chosen.job_id]
        if names_a_place(chosen):
            found += in_chunks(self.database, self.table, chosen)
        if chosen.asset_id is not None:
            # An asset is one item, and its rows lie together in the primary key.
            index = _item_of(connection, chosen)
            found.append(columns.item == index)
            if names_a_place(chosen):
                found.append(chunk_frames.c.item == index)
        return found

    def _ordered(self, query: Select[Any], chosen: InJob, cursor: str | None) -> Select[Any]:
        columns = self.table.c
        key = (columns.item, columns.chunk, columns.ord)
        is_by_chunk = names_a_place(chosen)
        if cursor is not None:
            item, chunk, place = decode_cursor(cursor, self.cursor, (int, int, int))
            query = query.where(tuple_(*key) > tuple_(item, chunk, place))
            if is_by_chunk:
                # The same of the chunks: the database doesn't conclude from one to the other.
                query = query.where(tuple_(*OF_CHUNK) >= tuple_(item, chunk))
        return query.order_by(*((*OF_CHUNK, columns.ord) if is_by_chunk else key))


def _item_of(connection: Connection, chosen: InJob) -> int:
    """-1, which no item has, for an asset that isn't in the job."""
    query = select(items.c.item).where(
        items.c.job_id == chosen.job_id, items.c.asset_id == chosen.asset_id
    )
    found = connection.execute(query).scalar_one_or_none()
    return -1 if found is None else int(found)
