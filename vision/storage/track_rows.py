"""Tracks to columns and rows back to tracks: the one place that knows both forms."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from vision.domain.job import TrackResult
from vision.domain.stored import StoredTrack
from vision.domain.track import BestMoment, Track
from vision.storage.bulk import Columns, Same
from vision.storage.columns import AnyRow
from vision.storage.detection_rows import shortest_decimals
from vision.storage.rows import size_from_json

PATH_TYPE = np.dtype("<f8")
SAME_NAMES = (
    "track_id",
    "label",
    "class_id",
    "first_seconds",
    "last_seconds",
    "first_frame",
    "last_frame",
    "detections",
)


def track_columns(job_id: UUID, item: int, result: TrackResult) -> Columns:
    """One row per track. Raises ValueError when crops and tracks differ in number."""
    tracks = result.tracks
    if len(result.crops) != len(tracks):
        raise ValueError(f"{len(result.crops)} crops of {len(tracks)} tracks")
    crops = [(None, None) if crop is None else crop for crop in result.crops]
    return {
        "job_id": Same(job_id),
        "item": Same(item),
        **{name: [getattr(one, name) for one in tracks] for name in SAME_NAMES},
        **_best_columns([one.best for one in tracks]),
        "path": [one.path.astype(PATH_TYPE).tobytes() for one in tracks],
        "crop_offset": [offset for offset, _ in crops],
        "crop_length": [length for _, length in crops],
    }


def stored_track(row: AnyRow, item: AnyRow, *, crops_blob_key: str | None) -> StoredTrack:
    """From a row of tracks and its row of items."""
    crop = None if row.crop_offset is None else (row.crop_offset, row.crop_length)
    return StoredTrack(
        job_id=row.job_id,
        item=row.item,
        asset_id=item.asset_id,
        size=size_from_json(item.facts),
        track=Track(
            **{name: getattr(row, name) for name in SAME_NAMES},
            best=BestMoment(
                frame_index=row.best_frame,
                pts_seconds=row.best_seconds,
                box=(row.best_x1, row.best_y1, row.best_x2, row.best_y2),
                score=row.best_score,
            ),
            path=_path(row.path),
        ),
        crop=crop,
        crops_blob_key=None if crop is None else crops_blob_key,
    )


def _best_columns(moments: Sequence[BestMoment]) -> Columns:
    boxes = np.array([one.box for one in moments], np.float32).reshape(-1, 4)
    scores = np.array([np.nan if one.score is None else one.score for one in moments], np.float32)
    missing = sum(one.score is None for one in moments)
    edges = ("best_x1", "best_y1", "best_x2", "best_y2")
    return {
        "best_frame": [one.frame_index for one in moments],
        "best_seconds": [one.pts_seconds for one in moments],
        **{name: shortest_decimals(boxes[:, i]) for i, name in enumerate(edges)},
        "best_score": shortest_decimals(scores, missing=missing),
    }


def _path(packed: bytes) -> NDArray[np.float64]:
    return np.frombuffer(packed, PATH_TYPE).reshape(-1, 3).astype(np.float64)
