"""Which runs contributed to a job: each distinct one is stored once."""

from uuid import UUID

from sqlalchemy import Connection, select

from vision.domain.provenance import Provenance
from vision.storage.database import Database
from vision.storage.tables import job_provenances, provenances


def provenance_row(
    database: Database, connection: Connection, job_id: UUID, provenance: Provenance | None
) -> int | None:
    """Its id, noted as one of the job's."""
    if provenance is None:
        return None
    digest = provenance.digest
    known = select(provenances.c.id).where(provenances.c.digest == digest)
    found = connection.execute(known).scalar_one_or_none()
    if found is None:
        added = database.insert(provenances).values(digest=digest, document=provenance.to_json())
        connection.execute(added.on_conflict_do_nothing())
        found = connection.execute(known).scalar_one()
    used = database.insert(job_provenances).values(job_id=job_id, provenance_id=found)
    connection.execute(used.on_conflict_do_nothing())
    return int(found)
