"""A job enters: one transaction writes job, items and units, or nothing."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, func, insert, select
from uuid6 import uuid7

from vision.domain.job import NewJob
from vision.domain.media import MediaKind
from vision.domain.states import ItemState, JobState, UnitKind, UnitState
from vision.errors import FieldError, IdempotencyKeyReused, InvalidRequest, NotFound, TooBusy
from vision.storage.bulk import Columns, Same, insert_columns
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.tables import UNIT_OPEN, assets, items, job_tags, jobs, tenants, units

IDS_PER_QUERY = 1000
FRESH = {
    "state": JobState.QUEUED,
    "items_done": 0,
    "items_failed": 0,
    "items_partial": 0,
    "run": 1,
    "erasing": False,
}

UNPROBED = {"frames_total": 0, "frames_done": 0, "seconds_total": 0.0, "seconds_done": 0.0}


class Share(NamedTuple):
    """What becomes one unit."""

    first: int
    span: int
    kind: UnitKind


def submit(
    database: Database, connection: Connection, new: NewJob, *, max_open_units: int
) -> tuple[UUID, bool]:
    """The job's id, and whether it is new. Raises what `JobStore.submit` raises."""
    _lock_tenant(database, connection, new.tenant)
    existing = _existing(connection, new)
    if existing is not None:
        return existing, False
    asset_ids = tuple(dict.fromkeys(new.asset_ids))
    if not asset_ids:
        problem = FieldError("asset_ids", "name at least one asset")
        raise InvalidRequest("a job needs assets", [problem])
    found = _facts(connection, new.tenant, asset_ids)
    facts = [found[one] for one in asset_ids]
    are_videos = [one["kind"] == MediaKind.VIDEO for one in facts]
    shares = share_out(are_videos, new.items_per_unit)
    _require_room(connection, new.tenant, len(shares), max_open_units=max_open_units)
    job_id = _insert_job(
        database, connection, new, items_total=len(asset_ids), has_videos=any(are_videos)
    )
    _insert_items(connection, job_id, asset_ids, facts=facts, are_videos=are_videos)
    _insert_units(connection, job_id, new, shares=shares)
    return job_id, True


def share_out(are_videos: Sequence[bool], items_per_unit: int) -> list[Share]:
    """Runs of images in shards of up to `items_per_unit`; each video by itself."""
    shares: list[Share] = []
    first = 0
    for is_video, run in groupby(are_videos):
        after = first + sum(1 for _ in run)
        step = 1 if is_video else items_per_unit
        kind = UnitKind.PROBE if is_video else UnitKind.IMAGES
        shares += [Share(one, min(step, after - one), kind) for one in range(first, after, step)]
        first = after
    return shares


def _lock_tenant(database: Database, connection: Connection, tenant: str) -> None:
    """Submissions of one tenant come one after the other: that makes keys and limits exact."""
    ignoring = database.insert(tenants).values(id=tenant).on_conflict_do_nothing()
    connection.execute(ignoring)
    connection.execute(select(tenants.c.id).where(tenants.c.id == tenant).with_for_update())


def _existing(connection: Connection, new: NewJob) -> UUID | None:
    if new.idempotency_key is None:
        return None
    row: AnyRow | None = connection.execute(
        select(jobs.c.id, jobs.c.request_sha256).where(
            jobs.c.tenant == new.tenant, jobs.c.idempotency_key == new.idempotency_key
        )
    ).one_or_none()
    if row is None:
        return None
    if row.request_sha256 != new.request_sha256:
        raise IdempotencyKeyReused("this Idempotency-Key was used for another request")
    found: UUID = row.id
    return found


def _require_room(connection: Connection, tenant: str, wanted: int, *, max_open_units: int) -> None:
    counted = (
        select(units.c.item)
        .where(units.c.tenant == tenant, UNIT_OPEN)
        .limit(max_open_units)
        .subquery()
    )
    found = connection.execute(select(func.count()).select_from(counted)).scalar_one()
    if found + wanted > max_open_units:
        raise TooBusy(
            f"{found} units of work are open and this job adds {wanted}; "
            f"the limit is {max_open_units}"
        )


def _facts(connection: Connection, tenant: str, asset_ids: Sequence[UUID]) -> dict[UUID, Any]:
    """By asset. The share lock keeps them from being erased until this job refers to them."""
    found: dict[UUID, Any] = {}
    ordered = sorted(asset_ids)
    for start in range(0, len(ordered), IDS_PER_QUERY):
        some = ordered[start : start + IDS_PER_QUERY]
        query = select(assets.c.id, assets.c.facts).where(
            assets.c.tenant == tenant, assets.c.id.in_(some)
        )
        shared = query.order_by(assets.c.id).with_for_update(read=True)
        found.update({row.id: row.facts for row in connection.execute(shared)})
    missing = [one for one in asset_ids if one not in found]
    if missing:
        raise NotFound(f"no asset {missing[0]}")
    return found


def _insert_job(
    database: Database,
    connection: Connection,
    new: NewJob,
    *,
    items_total: int,
    has_videos: bool,
) -> UUID:
    job_id: UUID = uuid7()
    tags = tuple(dict.fromkeys(new.tags))
    started = {"id": job_id, "tags": list(tags), "items_total": items_total}
    values = {"created_at": database.now_sql, **started, **_asked(new), **FRESH}
    if has_videos:
        values |= UNPROBED
    connection.execute(insert(jobs).values(values))
    tagged: Columns = {"tenant": Same(new.tenant), "job_id": Same(job_id), "tag": tags}
    insert_columns(connection, job_tags, tagged)
    return job_id


def _asked(new: NewJob) -> dict[str, object]:
    return {
        "tenant": new.tenant,
        "idempotency_key": new.idempotency_key,
        "request_sha256": new.request_sha256,
        "pipeline": dict(new.pipeline),
        "pipeline_sha256": new.pipeline_sha256,
        "priority": new.priority,
        "webhook": new.webhook,
    }


def _insert_items(
    connection: Connection,
    job_id: UUID,
    asset_ids: Sequence[UUID],
    *,
    facts: Sequence[object],
    are_videos: Sequence[bool],
) -> None:
    columns: Columns = {
        "job_id": Same(job_id),
        "item": range(len(asset_ids)),
        "asset_id": asset_ids,
        "state": Same(ItemState.PENDING.value),
        "facts": facts,
        "detections": Same(0),
        "counts": Same({}),
        **{name: [zero if one else None for one in are_videos] for name, zero in UNPROBED.items()},
    }
    insert_columns(connection, items, columns)


def _insert_units(
    connection: Connection, job_id: UUID, new: NewJob, *, shares: Sequence[Share]
) -> None:
    created_at = connection.execute(
        select(jobs.c.created_at).where(jobs.c.id == job_id)
    ).scalar_one()
    columns: Columns = {
        "job_id": Same(job_id),
        "item": [share.first for share in shares],
        "chunk": Same(0),
        "span": [share.span for share in shares],
        "kind": [share.kind.value for share in shares],
        "tenant": Same(new.tenant),
        "priority": Same(new.priority),
        "state": Same(UnitState.READY.value),
        "attempt": Same(0),
        "fails": Same(0),
        "not_before": Same(created_at),
    }
    insert_columns(connection, units, columns)
