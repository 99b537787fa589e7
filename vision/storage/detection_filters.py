"""A filter as conditions that an index serves."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import REAL, ColumnElement, Connection, cast, literal, select

from vision.domain.stored import TIME_SHIFT, DetectionFilter
from vision.domain.track import TRACKS_PER_ITEM
from vision.storage.chunk_filters import in_chunks, names_a_place
from vision.storage.database import Database
from vision.storage.tables import detections, items, job_tags
from vision.storage.video_tables import chunk_frames

MAX_ID = 2**63 - 1
LAST_ITEM = 2**31 - 1


def conditions(
    database: Database, chosen: DetectionFilter, *, is_in_film: bool
) -> list[ColumnElement[bool]]:
    """All of them must hold. `is_in_film` says that the track is one of a job's video."""
    found = [detections.c.tenant == chosen.tenant, *_simple(chosen)]
    if chosen.job_id is not None:
        found.append(detections.c.job_id == chosen.job_id)
    if chosen.track_id is not None:
        found += _of_track(chosen.track_id, is_in_film=is_in_film)
    if is_in_chunks(chosen):
        found += _of_chunks(database, chosen)
    if chosen.min_score is not None:
        found.append(detections.c.score >= as_float32(database, chosen.min_score))
    if chosen.asset_id is not None:
        found += _of_asset(chosen.asset_id)
    if chosen.tag is not None:
        tagged = (job_tags.c.tenant == chosen.tenant) & (job_tags.c.tag == chosen.tag)
        found.append(detections.c.job_id.in_(select(job_tags.c.job_id).where(tagged)))
    if chosen.since is not None:
        found.append(detections.c.id >= _id_at(chosen.since))
    if chosen.until is not None:
        found.append(detections.c.id < _id_at(chosen.until))
    return found


def _simple(chosen: DetectionFilter) -> Iterator[ColumnElement[bool]]:
    for name in ("label", "frame_index"):
        wanted = getattr(chosen, name)
        if wanted is not None:
            yield detections.c[name] == wanted
    if chosen.from_seconds is not None:
        yield detections.c.pts_seconds >= chosen.from_seconds
    if chosen.to_seconds is not None:
        yield detections.c.pts_seconds < chosen.to_seconds


def is_in_chunks(chosen: DetectionFilter) -> bool:
    """Whether rows are found by the chunks of videos in which they may be, joined to them."""
    if chosen.job_id is None or chosen.track_id is not None:
        return False
    return names_a_place(chosen)


def _of_chunks(database: Database, chosen: DetectionFilter) -> Iterator[ColumnElement[bool]]:
    yield from in_chunks(database, detections, chosen)
    if chosen.asset_id is not None:
        yield chunk_frames.c.item == items.c.item


def names_film(connection: Connection, chosen: DetectionFilter) -> bool:
    """Whether the filter names a track of a video of one job; an image's few rows need no index."""
    if chosen.job_id is None or chosen.track_id is None:
        return False
    item = _item_of(chosen.track_id)
    query = select(items.c.item).where(
        items.c.job_id == chosen.job_id, items.c.item == item, items.c.frames_total.is_not(None)
    )
    return connection.execute(query).one_or_none() is not None


def _item_of(track_id: int) -> int:
    """No column holds an item beyond the last, and no such track is stored."""
    return min(track_id // TRACKS_PER_ITEM, LAST_ITEM)


def _of_track(track_id: int, *, is_in_film: bool) -> Iterator[ColumnElement[bool]]:
    """The number tells the item; the index of tracks has rows of videos only."""
    yield detections.c.track_id == track_id
    yield detections.c.item == _item_of(track_id)
    if is_in_film:
        yield detections.c.pts_seconds.is_not(None)


def as_float32(database: Database, score: float) -> ColumnElement[Any]:
    """PostgreSQL keeps float32: a stored 0.9 is less than the double 0.9, so compare as float32."""
    return cast(literal(score), REAL) if database.is_postgresql else literal(score)


def _of_asset(asset_id: UUID) -> Iterator[ColumnElement[bool]]:
    """Joins the asset's items: they are few, and each leads to its rows by the primary key."""
    yield items.c.asset_id == asset_id
    yield items.c.job_id == detections.c.job_id
    yield items.c.item == detections.c.item


def _id_at(seconds: float) -> int:
    """The smallest id of that millisecond."""
    return min(max(int(-(-seconds * 1000 // 1)), 0) << TIME_SHIFT, MAX_ID)
