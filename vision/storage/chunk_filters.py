"""Places in videos as conditions on chunks: chunks are few, and each leads to its rows."""

from collections.abc import Iterator
from typing import Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Table

from vision.storage.database import Database
from vision.storage.video_tables import chunk_frames


class InVideo(Protocol):
    """A filter that may name a place in videos."""

    @property
    def job_id(self) -> UUID | None: ...

    @property
    def frame_index(self) -> int | None: ...

    @property
    def from_seconds(self) -> float | None: ...

    @property
    def to_seconds(self) -> float | None: ...


def names_a_place(chosen: InVideo) -> bool:
    """Whether rows are found by the chunks in which they may be."""
    places = (chosen.frame_index, chosen.from_seconds, chosen.to_seconds)
    return any(place is not None for place in places)


def in_chunks(database: Database, table: Table, chosen: InVideo) -> Iterator[ColumnElement[bool]]:
    """Joins the chunks of the job; the primary key leads from each to its rows, in their order."""
    yield chunk_frames.c.job_id == chosen.job_id
    for name in ("item", "chunk"):
        place = chunk_frames.c[name]
        # No index leads from rows to a sum: SQLite would look for the chunk of every row.
        yield table.c[name] == (place if database.is_postgresql else place + 0)
    if chosen.frame_index is not None:
        yield chunk_frames.c.first_frame <= chosen.frame_index
        yield chunk_frames.c.last_frame >= chosen.frame_index
    if chosen.from_seconds is not None:
        yield chunk_frames.c.last_seconds >= chosen.from_seconds
    if chosen.to_seconds is not None:
        yield chunk_frames.c.first_seconds < chosen.to_seconds
