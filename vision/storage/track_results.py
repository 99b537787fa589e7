"""What came of following objects: in place of what was there. The caller holds the job's row."""

from uuid import UUID

import numpy as np
from sqlalchemy import Connection, delete, update

from vision.domain.job import TrackResult
from vision.domain.track import NO_TRACK, TRACKS_PER_ITEM
from vision.storage.bulk import insert_columns
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.derived_blobs import doom_derived, keep_derived, of_item
from vision.storage.renders import drop_render
from vision.storage.tables import items
from vision.storage.track_numbers import number_detections
from vision.storage.track_rows import track_columns
from vision.storage.video_tables import CROPS, tracks

CROP_TYPE = "image/jpeg"


def store_tracks(
    database: Database, connection: Connection, result: TrackResult, *, job: AnyRow
) -> None:
    """Raises ValueError when the numbers aren't those of this video's detections."""
    item = result.lease.item
    _require_of_item(result, item)
    number_detections(connection, job.id, item, numbers=result.track_ids)
    connection.execute(delete(tracks).where(tracks.c.job_id == job.id, tracks.c.item == item))
    insert_columns(connection, tracks, track_columns(job.id, item, result))
    doom_derived(database, connection, of_item(job.id, item, CROPS))
    if result.crops_blob_key is not None:
        _keep_crops(connection, result, job.id)
    drop_render(database, connection, job.id, item)
    mine = (items.c.job_id == job.id) & (items.c.item == item)
    told = {"track_parameters": dict(result.parameters)}
    connection.execute(update(items).where(mine).values(told))


def tracks_of(item: int) -> tuple[int, int]:
    """The lowest and the highest number of a track of this item."""
    return item * TRACKS_PER_ITEM + 1, (item + 1) * TRACKS_PER_ITEM - 1


def _require_of_item(result: TrackResult, item: int) -> None:
    low, high = tracks_of(item)
    known = {one.track_id for one in result.tracks}
    if any(not low <= one <= high for one in known):
        raise ValueError(f"tracks of item {item} have numbers from {low} to {high}")
    used = np.unique(result.track_ids[result.track_ids != NO_TRACK])
    if not known.issuperset(used.tolist()):
        raise ValueError("a detection belongs to a track that isn't there")


def _keep_crops(connection: Connection, result: TrackResult, job_id: UUID) -> None:
    last = max((sum(crop) for crop in result.crops if crop is not None), default=0)
    keep_derived(
        connection,
        job_id=job_id,
        item=result.lease.item,
        kind=CROPS,
        blob_key=result.crops_blob_key,
        size_bytes=last,
        media_type=CROP_TYPE,
    )
