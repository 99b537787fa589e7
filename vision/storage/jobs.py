"""Jobs and their items: submit, look, cancel, retry, delete."""

from uuid import UUID

from vision.domain.job import DEFAULT_TENANT, Item, Job, NewJob
from vision.domain.states import JobState
from vision.domain.stored import QueueSummary
from vision.storage.database import Database
from vision.storage.pages import Page


class JobStore:
    """What clients see of the work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(self, new: NewJob, *, max_open_units: int) -> tuple[Job, bool]:
        """The job, and whether it is new. When this returns, the work can't be lost.

        An asset named twice is one item. Raises InvalidRequest without assets, NotFound for
        an unknown or foreign asset, IdempotencyKeyReused, and TooBusy when the tenant would have
        more than `max_open_units` waiting, ready or leased units.
        """
        raise NotImplementedError

    def get(self, job_id: UUID, tenant: str = DEFAULT_TENANT) -> Job:
        """Raises NotFound."""
        raise NotImplementedError

    def page(
        self,
        tenant: str,
        *,
        limit: int,
        cursor: str | None = None,
        state: JobState | None = None,
        tag: str | None = None,
    ) -> Page[Job]:
        """Newest first. Raises InvalidRequest for a bad cursor."""
        raise NotImplementedError

    def items(
        self, job_id: UUID, tenant: str = DEFAULT_TENANT, *, limit: int, cursor: str | None = None
    ) -> Page[Item]:
        """In the job's order. Raises NotFound, InvalidRequest for a bad cursor."""
        raise NotImplementedError

    def item(self, job_id: UUID, asset_id: UUID, tenant: str = DEFAULT_TENANT) -> Item:
        """Raises NotFound."""
        raise NotImplementedError

    def cancel(self, job_id: UUID, tenant: str = DEFAULT_TENANT) -> Job:
        """Cancelled from this moment: what was committed stays, nothing is added any more.

        A finished job is returned as it is. Raises NotFound.
        """
        raise NotImplementedError

    def retry(self, job_id: UUID, tenant: str = DEFAULT_TENANT) -> Job:
        """Its failed and quarantined units become ready again, with their failures forgotten.

        Raises NotFound, Conflict for a job that runs, was cancelled or has no such unit.
        """
        raise NotImplementedError

    def delete(self, job_id: UUID, tenant: str = DEFAULT_TENANT) -> None:
        """Erases the job and its results; a running one stops. Raises NotFound.

        Invisible at once, then removed piece by piece; after a crash `finish_erasures` goes on.
        """
        raise NotImplementedError

    def finish_erasures(self) -> int:
        """Removes the rest of jobs whose deletion was interrupted; how many."""
        raise NotImplementedError

    def active_summary(self) -> QueueSummary:
        """Over all tenants."""
        raise NotImplementedError
