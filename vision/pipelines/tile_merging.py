"""One answer from what a detector found in overlapping tiles of one picture.

1. A box that reaches an inner border of its tile is cut there: it goes when a box of its class,
   from another tile and cut nowhere, covers at least `COVERED` of it. Whatever the scores: a part
   of a thing often scores as high as the thing.
2. Class by class, best score first, a box goes when it overlaps a better one that stays by more
   than the IoU threshold: torchvision's `nms`, bit for bit, without torch.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vision.domain.detections import Detections

COVERED = 0.7
"""Of a cut box's area."""


def surviving(
    rows: Detections, *, is_cut: NDArray[np.bool_], tiles: NDArray[np.intp], iou_threshold: float
) -> NDArray[np.intp]:
    """The indices of the rows that stay, highest score first; equal ones in their order.

    `is_cut` (n,) says whether an inner border of its tile cuts the row, `tiles` (n,) whose it is.
    """
    assert rows.scores is not None, "a detector's rows have scores"
    standing = ~_seen_whole_elsewhere(rows, is_cut=is_cut, tiles=tiles)
    kept = [
        _best(rows, np.flatnonzero(standing & (rows.class_ids == class_id)), iou_threshold)
        for class_id in np.unique(rows.class_ids)
    ]
    indices = np.sort(np.concatenate([np.zeros(0, np.intp), *kept]))
    return indices[np.argsort(-rows.scores[indices], kind="stable")]


def _seen_whole_elsewhere(
    rows: Detections, *, is_cut: NDArray[np.bool_], tiles: NDArray[np.intp]
) -> NDArray[np.bool_]:
    areas, uncut = _areas(rows.boxes), np.flatnonzero(~is_cut)
    gone = np.zeros(len(rows), np.bool_)
    for index in np.flatnonzero(is_cut):
        others = uncut[
            (rows.class_ids[uncut] == rows.class_ids[index]) & (tiles[uncut] != tiles[index])
        ]
        shared = _shared(rows.boxes[index], rows.boxes[others])
        gone[index] = bool(((shared > 0) & (shared >= COVERED * areas[index])).any())
    return gone


def _best(rows: Detections, of_class: NDArray[np.intp], iou_threshold: float) -> NDArray[np.intp]:
    """Of the rows of one class, those that greedy non-maximum suppression keeps."""
    assert rows.scores is not None
    queue = of_class[np.argsort(-rows.scores[of_class], kind="stable")]
    return np.fromiter(_suppressed(rows.boxes, queue, iou_threshold), np.intp)


def _suppressed(
    boxes: NDArray[np.float32], queue: NDArray[np.intp], iou_threshold: float
) -> Iterator[np.intp]:
    areas = _areas(boxes)
    while len(queue):
        best, rest = queue[0], queue[1:]
        yield best
        shared = _shared(boxes[best], boxes[rest])
        union = areas[best] + areas[rest] - shared
        # Two boxes without area overlap by 0 / 0, which is not more than the threshold.
        ious = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
        # As upstream: a float32 IoU against a float64 threshold.
        queue = rest[~(ious.astype(np.float64) > iou_threshold)]


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    areas: NDArray[np.float32] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def _shared(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) the area that one box (4,) has in common with each of the others (n, 4)."""
    corners = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    sides = np.clip(corners[1] - corners[0], 0, None)
    shared: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return shared
