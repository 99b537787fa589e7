"""Jobs and their items: submit, look, cancel, retry, delete."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, TextClause, func, select

from vision.domain.job import DEFAULT_TENANT, Item, Job, NewJob
from vision.domain.states import JobState
from vision.domain.stored import QueueSummary, RenderState
from vision.errors import NotFound
from vision.storage import erasure, job_changes, retracking, submission
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.endings import lock_job
from vision.storage.pages import Page, decode_cursor, encode_cursor, page_of
from vision.storage.renders import render_state, request_render
from vision.storage.rows import item_from, job_from
from vision.storage.tables import (
    JOB_ERASING,
    UNIT_LEASED,
    UNIT_QUARANTINED,
    UNIT_READY,
    assets,
    items,
    job_provenances,
    job_tags,
    jobs,
    provenances,
    units,
)
from vision.storage.video_progress import chunks_in_work, item_progress, job_progress

JOB_CURSOR = "jobs"
ITEM_CURSOR = "items"


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
        with self._database.begin() as connection:
            job_id, is_new = submission.submit(
                self._database, connection, new, max_open_units=max_open_units
            )
            return _job(connection, job_id, new.tenant), is_new

    def get(self, job_id: UUID, tenant: str = DEFAULT_TENANT) -> Job:
        """Raises NotFound."""
        with self._database.read() as connection:
            return _job(connection, job_id, tenant)

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
        key = jobs.c.id if tag is None else job_tags.c.job_id
        query = _visible_jobs(tenant) if tag is None else _tagged_jobs(tenant, tag)
        if state is not None:
            query = query.where(jobs.c.state == state)
        if cursor is not None:
            query = query.where(key < decode_cursor(cursor, JOB_CURSOR, (UUID,))[0])
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(key.desc()).limit(limit + 1)).all()
            used = _provenances(connection, [row.id for row in rows])
            videos = job_progress(connection, rows)
        return page_of(
            rows,
            limit,
            item=lambda row: job_from(row, used[row.id], videos.get(row.id)),
            cursor=lambda row: encode_cursor(JOB_CURSOR, row.id),
        )

    def items(
        self, job_id: UUID, tenant: str = DEFAULT_TENANT, *, limit: int, cursor: str | None = None
    ) -> Page[Item]:
        """In the job's order. Raises NotFound, InvalidRequest for a bad cursor."""
        query = _items(job_id)
        if cursor is not None:
            query = query.where(items.c.item > decode_cursor(cursor, ITEM_CURSOR, (int,))[0])
        with self._database.read() as connection:
            job = _require_job(connection, job_id, tenant)
            rows = connection.execute(query.order_by(items.c.item).limit(limit + 1)).all()
            read = _item_reader(connection, job)
        return page_of(
            rows, limit, item=read, cursor=lambda row: encode_cursor(ITEM_CURSOR, row.item)
        )

    def item(self, job_id: UUID, asset_id: UUID, tenant: str = DEFAULT_TENANT) -> Item:
        """Raises NotFound."""
        with self._database.read() as connection:
            job = _require_job(connection, job_id, tenant)
            return _item_reader(connection, job)(_item_row(connection, job_id, asset_id))

    def cancel(self, job_id: UUID, tenant: str = DEFAULT_TENANT) -> Job:
        """Cancelled from this moment: what was committed stays, nothing is added any more.

        A finished job is returned as it is. Raises NotFound.
        """
        with self._database.begin() as connection:
            _require_job(connection, job_id, tenant)
            job_changes.cancel(self._database, connection, job_id)
            return _job(connection, job_id, tenant)

    def retry(self, job_id: UUID, tenant: str = DEFAULT_TENANT) -> Job:
        """Its failed and quarantined units become ready again, with their failures forgotten.

        Raises NotFound, Conflict for a job that runs, was cancelled or has no such unit.
        """
        with self._database.begin() as connection:
            _require_job(connection, job_id, tenant)
            job_changes.retry(self._database, connection, job_id)
            return _job(connection, job_id, tenant)

    def retrack(
        self,
        job_id: UUID,
        tenant: str = DEFAULT_TENANT,
        *,
        pipeline: Mapping[str, object],
        pipeline_sha256: str,
    ) -> Job:
        """Follows the objects of an ended job's videos again; no model runs.

        `pipeline` is the job's with another `track`. The tracks that there are stay until new ones
        take their place; drawn videos go. Raises NotFound, Conflict for a job that has not ended or
        in whose videos nothing was found.
        """
        with self._database.begin() as connection:
            _require_job(connection, job_id, tenant)
            changed = {"pipeline": dict(pipeline), "pipeline_sha256": pipeline_sha256}
            retracking.retrack(self._database, connection, job_id, changed=changed)
            return _job(connection, job_id, tenant)

    def render(
        self, job_id: UUID, asset_id: UUID, tenant: str = DEFAULT_TENANT
    ) -> RenderState | None:
        """Of a video's annotated copy; None when nobody asked for it since its results changed.

        Raises NotFound.
        """
        with self._database.read() as connection:
            _require_job(connection, job_id, tenant)
            item = _item_row(connection, job_id, asset_id)
            return render_state(connection, job_id, item.item)

    def request_render(
        self, job_id: UUID, asset_id: UUID, tenant: str = DEFAULT_TENANT
    ) -> RenderState:
        """The same; it is drawn by a worker unless it is there. One that gave up is tried again.

        Raises NotFound, Conflict for an image and for a video without results.
        """
        with self._database.begin() as connection:
            _require_job(connection, job_id, tenant)
            job = lock_job(connection, job_id)
            if job is None:
                raise NotFound(f"no job {job_id}")
            item = _item_row(connection, job_id, asset_id)
            request_render(self._database, connection, job, item)
            state = render_state(connection, job_id, item.item)
        assert state is not None
        return state

    def delete(self, job_id: UUID, tenant: str = DEFAULT_TENANT) -> None:
        """Erases the job and its results; a running one stops. Raises NotFound.

        Invisible at once, then removed piece by piece; after a crash `finish_erasures` goes on.
        """
        with self._database.begin() as connection:
            _require_job(connection, job_id, tenant)
            erasure.hide_job(self._database, connection, job_id)
        erasure.remove_job(self._database, job_id)

    def finish_erasures(self) -> int:
        """Removes the rest of jobs whose deletion was interrupted; how many."""
        with self._database.read() as connection:
            query = select(jobs.c.id).where(JOB_ERASING)
            left = connection.execute(query).scalars().all()
        for job_id in left:
            erasure.remove_job(self._database, job_id)
        return len(left)

    def active_summary(self) -> QueueSummary:
        """Over all tenants."""
        waited = select(self._database.now_sql - units.c.not_before).where(UNIT_READY)
        oldest_first = waited.order_by(units.c.not_before).limit(1)
        with self._database.read() as connection:
            oldest = connection.execute(oldest_first).scalar_one_or_none()
            return QueueSummary(
                ready=_count(connection, UNIT_READY),
                leased=_count(connection, UNIT_LEASED),
                quarantined=_count(connection, UNIT_QUARANTINED),
                oldest_ready_seconds=max(0.0, oldest or 0.0),
            )


def _visible_jobs(tenant: str) -> Select[Any]:
    return select(jobs).where(jobs.c.tenant == tenant, jobs.c.erasing.is_(False))


def _tagged_jobs(tenant: str, tag: str) -> Select[Any]:
    tagged = (job_tags.c.tenant == tenant) & (job_tags.c.tag == tag)
    return _visible_jobs(tenant).join(job_tags, job_tags.c.job_id == jobs.c.id).where(tagged)


def _job(connection: Connection, job_id: UUID, tenant: str) -> Job:
    row = _require_job(connection, job_id, tenant)
    video = job_progress(connection, [row]).get(job_id)
    return job_from(row, _provenances(connection, [job_id])[job_id], video)


def _require_job(connection: Connection, job_id: UUID, tenant: str) -> AnyRow:
    row = connection.execute(_visible_jobs(tenant).where(jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise NotFound(f"no job {job_id}")
    return row


def _provenances(
    connection: Connection, job_ids: Sequence[UUID]
) -> Mapping[UUID, list[Mapping[str, object]]]:
    query = (
        select(job_provenances.c.job_id, provenances.c.document, provenances.c.digest)
        .join(provenances, provenances.c.id == job_provenances.c.provenance_id)
        .where(job_provenances.c.job_id.in_(job_ids))
        .order_by(provenances.c.id)
    )
    found: dict[UUID, list[Mapping[str, object]]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.job_id].append({**row.document, "digest": row.digest})
    return found


def _items(job_id: UUID) -> Select[Any]:
    return (
        select(items, assets.c.filename, provenances.c.digest)
        .join(assets, assets.c.id == items.c.asset_id)
        .outerjoin(provenances, provenances.c.id == items.c.provenance_id)
        .where(items.c.job_id == job_id)
    )


def _item_row(connection: Connection, job_id: UUID, asset_id: UUID) -> AnyRow:
    query = _items(job_id).where(items.c.asset_id == asset_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"no asset {asset_id} in job {job_id}")
    return row


def _item_reader(connection: Connection, job: AnyRow) -> Callable[[AnyRow], Item]:
    """For rows of items of that job."""
    has_videos = job.frames_total is not None
    in_work = chunks_in_work(connection, [job]) if has_videos else {}
    return lambda row: item_from(
        row, None if row.frames_total is None else item_progress(row, in_work)
    )


def _count(connection: Connection, condition: TextClause) -> int:
    query = select(func.count()).select_from(units).where(condition)
    return int(connection.execute(query).scalar_one())
