"""What is told of each object: when, where, and its best moment."""

import numpy as np
from numpy.typing import NDArray

from vision.domain.image import ImageSize
from vision.domain.track import NO_TRACK, BestMoment, DetectionColumns, Track

PATH_POINTS = 100
BORDER_PIXELS = 1.0
BORDER_WEIGHT = 0.25
"""An object at the border of the frame is most often cut off there."""


def summarize(
    columns: DetectionColumns, track_ids: NDArray[np.int64], *, size: ImageSize | None
) -> tuple[Track, ...]:
    """By track id. Without the frames' size no border is looked at."""
    order = np.argsort(track_ids, kind="stable")
    order = order[track_ids[order] != NO_TRACK]
    if not len(order):
        return ()
    begins = np.flatnonzero(np.diff(track_ids[order]) != 0) + 1
    return tuple(
        _track(columns, rows, track_id=int(track_ids[rows[0]]), size=size)
        for rows in np.split(order, begins)
    )


def _best(columns: DetectionColumns, rows: NDArray[np.int64], size: ImageSize | None) -> int:
    """The row that shows the object best: score × area, less at the border; the first of equals."""
    x1, y1, x2, y2 = columns.boxes[rows].astype(np.float64).T
    worth = columns.scores[rows] * (x2 - x1) * (y2 - y1)
    if size is None:
        return int(rows[np.argmax(worth)])
    at_border = (
        (x1 <= BORDER_PIXELS)
        | (y1 <= BORDER_PIXELS)
        | (x2 >= size.width - BORDER_PIXELS)
        | (y2 >= size.height - BORDER_PIXELS)
    )
    return int(rows[np.argmax(np.where(at_border, worth * BORDER_WEIGHT, worth))])


def _track(
    columns: DetectionColumns,
    rows: NDArray[np.int64],
    *,
    track_id: int,
    size: ImageSize | None,
) -> Track:
    first, last = rows[0], rows[-1]
    return Track(
        track_id=track_id,
        label=str(columns.labels[first]),
        class_id=int(columns.class_ids[first]),
        first_seconds=float(columns.pts_seconds[first]),
        last_seconds=float(columns.pts_seconds[last]),
        first_frame=int(columns.frame_index[first]),
        last_frame=int(columns.frame_index[last]),
        detections=len(rows),
        best=_moment(columns, _best(columns, rows, size)),
        path=_path(columns, rows),
    )


def _moment(columns: DetectionColumns, row: int) -> BestMoment:
    x1, y1, x2, y2 = columns.boxes[row].tolist()
    return BestMoment(
        frame_index=int(columns.frame_index[row]),
        pts_seconds=float(columns.pts_seconds[row]),
        box=(x1, y1, x2, y2),
        score=float(columns.scores[row]),
    )


def _path(columns: DetectionColumns, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    if len(rows) > PATH_POINTS:
        rows = rows[np.linspace(0, len(rows) - 1, PATH_POINTS).round().astype(np.int64)]
    boxes = columns.boxes[rows].astype(np.float64)
    # Digits beyond a hundredth of a pixel only make answers long.
    centers = ((boxes[:, :2] + boxes[:, 2:]) / 2).round(2)
    return np.column_stack([columns.pts_seconds[rows], centers])
