"""A filter as conditions that an index serves."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import REAL, ColumnElement, Connection, cast, false, literal, select, tuple_

from vision.domain.stored import TIME_SHIFT, DetectionFilter
from vision.storage.database import Database
from vision.storage.tables import detections, items, job_tags

MAX_ID = 2**63 - 1


def conditions(
    connection: Connection, database: Database, chosen: DetectionFilter
) -> list[ColumnElement[bool]]:
    """All of them must hold."""
    found = [detections.c.tenant == chosen.tenant, *_simple(chosen)]
    if chosen.job_id is not None:
        found.append(detections.c.job_id == chosen.job_id)
    if chosen.min_score is not None:
        found.append(detections.c.score >= _float32(database, chosen.min_score))
    if chosen.asset_id is not None:
        found.append(_of_asset(connection, chosen))
    if chosen.tag is not None:
        tagged = (job_tags.c.tenant == chosen.tenant) & (job_tags.c.tag == chosen.tag)
        found.append(detections.c.job_id.in_(select(job_tags.c.job_id).where(tagged)))
    if chosen.since is not None:
        found.append(detections.c.id >= _id_at(chosen.since))
    if chosen.until is not None:
        found.append(detections.c.id < _id_at(chosen.until))
    return found


def _simple(chosen: DetectionFilter) -> Iterator[ColumnElement[bool]]:
    for name in ("label", "track_id", "frame_index"):
        wanted = getattr(chosen, name)
        if wanted is not None:
            yield detections.c[name] == wanted
    if chosen.from_seconds is not None:
        yield detections.c.pts_seconds >= chosen.from_seconds
    if chosen.to_seconds is not None:
        yield detections.c.pts_seconds < chosen.to_seconds


def _float32(database: Database, score: float) -> ColumnElement[Any]:
    """PostgreSQL keeps float32: a stored 0.9 is less than the double 0.9, so compare as float32."""
    return cast(literal(score), REAL) if database.is_postgresql else literal(score)


def _of_asset(connection: Connection, chosen: DetectionFilter) -> ColumnElement[bool]:
    """By the primary key of its few items, found first: a plain list leaves no doubt how."""
    query = select(items.c.job_id, items.c.item).where(items.c.asset_id == chosen.asset_id)
    if chosen.job_id is not None:
        query = query.where(items.c.job_id == chosen.job_id)
    keys = [(row.job_id, row.item) for row in connection.execute(query)]
    if not keys:
        return false()
    if chosen.job_id is not None:
        of_item: ColumnElement[bool] = detections.c.item == keys[0][1]
        return of_item
    return tuple_(detections.c.job_id, detections.c.item).in_(keys)


def _id_at(seconds: float) -> int:
    """The smallest id of that millisecond."""
    return min(max(int(-(-seconds * 1000 // 1)), 0) << TIME_SHIFT, MAX_ID)
