"""Files made from results: whoever replaces or removes one dooms its blob with the same commit."""

from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select

from vision.storage.database import Database
from vision.storage.tables import doomed_blobs
from vision.storage.video_tables import derived_blobs


def of_item(job_id: UUID, item: int, *kinds: str) -> ColumnElement[bool]:
    """Rows of derived blobs of one item; of every kind when none is named."""
    mine = and_(derived_blobs.c.job_id == job_id, derived_blobs.c.item == item)
    return mine & derived_blobs.c.kind.in_(kinds) if kinds else mine


def doom_derived(
    database: Database, connection: Connection, chosen: ColumnElement[bool]
) -> tuple[str, ...]:
    """Removes the rows, lists their blobs as doomed and returns the keys."""
    query = select(derived_blobs.c.blob_key).where(chosen).order_by(derived_blobs.c.blob_key)
    keys = tuple(connection.execute(query).scalars())
    if keys:
        rows = [{"blob_key": key} for key in keys]
        connection.execute(insert(doomed_blobs).values(doomed_at=database.now_sql), rows)
        connection.execute(delete(derived_blobs).where(chosen))
    return keys


def keep_derived(connection: Connection, **row: object) -> None:
    """A new one; the caller has doomed the one before."""
    connection.execute(insert(derived_blobs).values(row))
