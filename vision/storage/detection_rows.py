"""Detections to columns and rows back to detections: the one place that knows both forms."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from vision.domain.detections import Detections
from vision.domain.image import ImageSize
from vision.domain.mask import RleMask
from vision.domain.stored import TIME_SHIFT, StoredDetection
from vision.domain.track import TRACKS_PER_ITEM
from vision.domain.video import FrameFindings
from vision.storage.bulk import Columns, Same, insert_columns
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.tables import DETECTION_BLOCK, detection_blocks, detections

T = TypeVar("T")
KEYPOINT_TYPE = np.dtype("<f4")
_LOW_BITS = (1 << TIME_SHIFT) - 1


def insert_detections(
    database: Database,
    connection: Connection,
    found: Mapping[int, Detections],
    *,
    same: Mapping[str, object],
) -> list[int]:
    """Of one unit, by item index; `same` has job_id, chunk, tenant and provenance_id.

    Returns their ids in the order of the rows. Raises ValueError for boxes or scores that are not
    finite, and for objects whose number is none of a track's.
    """
    parts = list(found.values())
    sizes = [len(one) for one in parts]
    places: Columns = {
        "item": _repeated(found, sizes),
        "ord": list(chain.from_iterable(range(n) for n in sizes)),
        **_values("track_id", sizes, [_track_ids(one, item) for item, one in found.items()]),
    }
    return _insert(database, connection, parts, places=places, same=same)


def insert_frames(
    database: Database,
    connection: Connection,
    frames: Sequence[FrameFindings],
    *,
    same: Mapping[str, object],
) -> list[int]:
    """Of one chunk of a video, numbered through it; `same` has the item too. Returns and raises as
    above.
    """
    item = same["item"]
    assert isinstance(item, int)
    parts = [one.detections for one in frames]
    sizes = [len(one) for one in parts]
    places: Columns = {
        "ord": range(sum(sizes)),
        "frame_index": _repeated([one.frame_index for one in frames], sizes),
        "pts_seconds": _repeated([one.pts_seconds for one in frames], sizes),
        **_values("track_id", sizes, [_track_ids(one, item) for one in parts]),
    }
    return _insert(database, connection, parts, places=places, same=same)


def _repeated(values: Iterable[T], sizes: Sequence[int]) -> list[T]:
    """Each value as often as its part has rows."""
    pairs = zip(values, sizes, strict=True)
    return list(chain.from_iterable([value] * size for value, size in pairs))


def _insert(
    database: Database,
    connection: Connection,
    parts: Sequence[Detections],
    *,
    places: Columns,
    same: Mapping[str, object],
) -> list[int]:
    count = sum(len(one) for one in parts)
    if not count:
        return []
    ids = _new_ids(database, connection, str(same["tenant"]), count)
    constant = {name: Same(value) for name, value in same.items()}
    columns = {**constant, "id": ids, **places, **_columns(parts)}
    insert_columns(connection, detections, columns)
    return ids


def _columns(parts: Sequence[Detections]) -> Columns:
    sizes = [len(one) for one in parts]
    boxes = np.concatenate([one.boxes for one in parts])
    return {
        "label": list(chain.from_iterable(one.labels for one in parts)),
        "class_id": np.concatenate([one.class_ids for one in parts]).tolist(),
        **{name: shortest_decimals(boxes[:, i]) for i, name in enumerate(("x1", "y1", "x2", "y2"))},
        **_numbers("score", sizes, [one.scores for one in parts]),
        **_numbers("predicted_iou", sizes, [one.predicted_iou for one in parts]),
        **_numbers("stability_score", sizes, [one.stability_scores for one in parts]),
        **_values("keypoints", sizes, [_keypoints(one) for one in parts]),
        **_values("mask", sizes, [_masks(one) for one in parts]),
    }


def stored_detection(
    row: AnyRow,
    item: AnyRow,
    *,
    size: ImageSize,
    digests: Mapping[int, str],
    embedding: NDArray[np.float32] | None = None,
) -> StoredDetection:
    """From a row of detections, its row of items, and digests by provenance."""
    counts, points = row.mask, row.keypoints
    return StoredDetection(
        id=row.id,
        job_id=row.job_id,
        item=row.item,
        asset_id=item.asset_id,
        size=size,
        label=row.label,
        class_id=row.class_id,
        box=(row.x1, row.y1, row.x2, row.y2),
        score=row.score,
        mask=None if counts is None else RleMask(size, counts),
        keypoints=None if points is None else _points(points),
        predicted_iou=row.predicted_iou,
        stability_score=row.stability_score,
        frame_index=row.frame_index,
        pts_seconds=row.pts_seconds,
        track_id=row.track_id,
        provenance_digest=digests.get(row.provenance_id),
        embedding=embedding,
    )


def _new_ids(database: Database, connection: Connection, tenant: str, count: int) -> list[int]:
    """Unique within the tenant, larger than those of earlier milliseconds, and descending: a list
    that shows the newest first then shows the best of an image first.
    """
    base = int(connection.execute(select(database.now_sql)).scalar_one() * 1000) << TIME_SHIFT
    if database.is_postgresql:
        low = _numbers_of_blocks(connection, count)
        return sorted((base + number for number in low), reverse=True)
    # SQLite has one writer: the largest is known.
    query = select(func.max(detections.c.id)).where(detections.c.tenant == tenant)
    largest = connection.execute(query).scalar_one()
    first = base if largest is None else max(base, largest + 1)
    return list(range(first + count - 1, first - 1, -1))


def _numbers_of_blocks(connection: Connection, count: int) -> list[int]:
    """No two commits get the same, unless 2**TIME_SHIFT rows come in one millisecond."""
    blocks = -(-count // DETECTION_BLOCK)
    series = func.generate_series(1, blocks).table_valued("number")
    query = select(detection_blocks.next_value()).select_from(series)
    starts = connection.execute(query).scalars().all()
    numbers = chain.from_iterable(
        range(start * DETECTION_BLOCK, (start + 1) * DETECTION_BLOCK) for start in starts
    )
    return [number & _LOW_BITS for number, _ in zip(numbers, range(count), strict=False)]


def _numbers(
    name: str, sizes: Sequence[int], columns: Sequence[NDArray[np.float32] | None]
) -> Columns:
    """Nothing when no image has the column; None in the rows of those that haven't."""
    if all(column is None for column in columns):
        return {}
    pairs = list(zip(columns, sizes, strict=True))
    filled = [
        np.full(size, np.nan, np.float32) if column is None else column for column, size in pairs
    ]
    missing = sum(size for column, size in pairs if column is None)
    return {name: shortest_decimals(np.concatenate(filled), missing=missing)}


def shortest_decimals(values: NDArray[np.float32], *, missing: int = 0) -> list[float | None]:
    """The shortest decimals that are these float32 numbers: 0.9, not 0.8999999761581421.

    As many as `missing` are NaN, and become None.
    """
    if np.count_nonzero(~np.isfinite(values)) != missing:
        raise ValueError("a box or score is not finite")
    packed = orjson.dumps(
        np.ascontiguousarray(values, np.float32), option=orjson.OPT_SERIALIZE_NUMPY
    )
    numbers: list[float | None] = orjson.loads(packed)
    return numbers


def _values(name: str, sizes: Sequence[int], columns: Sequence[Sequence[object] | None]) -> Columns:
    """As `_numbers`, of texts and bytes."""
    if all(column is None for column in columns):
        return {}
    filled = (
        repeat(None, size) if column is None else column
        for column, size in zip(columns, sizes, strict=True)
    )
    return {name: list(chain.from_iterable(filled))}


def _masks(one: Detections) -> Sequence[str] | None:
    return None if one.masks is None else [mask.counts for mask in one.masks]


def _keypoints(one: Detections) -> Sequence[bytes] | None:
    if one.keypoints is None:
        return None
    return [points.astype(KEYPOINT_TYPE).tobytes() for points in one.keypoints]


def _track_ids(one: Detections, item: int) -> Sequence[int] | None:
    """Objects that a model followed are the item's tracks, in an image too: a film of one frame."""
    if one.object_ids is None:
        return None
    numbers: list[int] = one.object_ids.tolist()
    if any(not 0 < number < TRACKS_PER_ITEM for number in numbers):
        raise ValueError(f"objects of a video have numbers from 1 to {TRACKS_PER_ITEM - 1}")
    return [item * TRACKS_PER_ITEM + number for number in numbers]


def _points(packed: bytes) -> NDArray[np.float32]:
    return np.frombuffer(packed, KEYPOINT_TYPE).reshape(-1, 3).astype(np.float32)
