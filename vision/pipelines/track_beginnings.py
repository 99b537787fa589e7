"""The first detections of each track, which the library leaves without a name.

It names an object only once it has been seen several times running, and never goes back.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from vision.pipelines.track_algorithms import Settled
from vision.pipelines.track_association import UNNAMED, LabelRows


def add_beginnings(
    rows: LabelRows, ids: NDArray[np.int64], *, settled: Settled
) -> NDArray[np.int64]:
    """`ids` with the unnamed detections of the frames before that overlap most.

    No named detection changes, and no track gets two in one frame. Where tracks begin in the same
    frame, the largest overlap is served first.
    """
    steps = _StepsBack(rows, ids, minimum_iou=settled.minimum_iou)
    heads = _first_rows(rows, ids, of_every_run=settled.forgets_names)
    for _ in range(settled.unnamed_frames):
        heads = [row for group in steps.groups(heads) for row in steps.back(group)]
    return steps.ids


def _first_rows(rows: LabelRows, ids: NDArray[np.int64], *, of_every_run: bool) -> list[int]:
    """The first row of each track, or of each of its runs of analysed frames without a gap."""
    order = np.lexsort((rows.frames, ids))
    order = order[ids[order] != UNNAMED]
    begins = np.diff(ids[order], prepend=UNNAMED) != 0
    if of_every_run:
        begins |= np.diff(rows.frames[order], prepend=0) > 1
    first_rows: list[int] = order[begins].tolist()
    return first_rows


class _StepsBack:
    """From rows that begin a track to rows of the frame before."""

    def __init__(self, rows: LabelRows, ids: NDArray[np.int64], *, minimum_iou: float) -> None:
        self.ids = ids.copy()
        self._rows = rows
        self._minimum_iou = minimum_iou

    def groups(self, heads: Iterable[int]) -> Iterator[list[int]]:
        """Rows of one frame each, in order of time."""
        for _, group in groupby(sorted(heads), key=lambda row: int(self._rows.frames[row])):
            yield list(group)

    def back(self, heads: Sequence[int]) -> list[int]:
        """The rows of the frame before that were given to the tracks of `heads`."""
        before = int(self._rows.frames[heads[0]]) - 1
        start, stop = np.searchsorted(self._rows.frames, [before, before + 1])
        there = self.ids[start:stop]
        unnamed = start + np.flatnonzero(there == UNNAMED)
        waiting = [row for row in heads if self.ids[row] not in there]
        if not len(unnamed) or not waiting:
            return []
        overlaps = sv.box_iou_batch(self._rows.boxes[waiting], self._rows.boxes[unnamed])
        pairs = _largest_first(overlaps, at_least=self._minimum_iou)
        return [self._name(int(unnamed[column]), waiting[line]) for line, column in pairs]

    def _name(self, row: int, head: int) -> int:
        self.ids[row] = self.ids[head]
        return row


def _largest_first(overlaps: NDArray[np.float32], *, at_least: float) -> Iterator[tuple[int, int]]:
    """Pairs of a line and a column, no line and no column twice."""
    lines: set[int] = set()
    columns: set[int] = set()
    for place in np.argsort(-overlaps, axis=None, kind="stable").tolist():
        line, column = divmod(place, overlaps.shape[1])
        if overlaps[line, column] < at_least:
            return
        if line not in lines and column not in columns:
            lines.add(line)
            columns.add(column)
            yield line, column
