"""Follows the stored detections of one video through time, by the library `trackers`.

Runs no model and looks at no picture, so that a finished job can be tracked anew at once. BoT-SORT
therefore runs without its camera motion compensation, which wants the frames.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from vision.domain.image import ImageSize
from vision.domain.track import NO_TRACK, TRACKS_PER_ITEM, DetectionColumns, Track
from vision.domain.video import FrameTimes
from vision.errors import VideoTooLong
from vision.pipelines.stages import FollowStage, TrackStage
from vision.pipelines.track_algorithms import settle
from vision.pipelines.track_association import UNNAMED, LabelRows, ascending, associate
from vision.pipelines.track_beginnings import add_beginnings
from vision.pipelines.track_summary import summarize

LIBRARY = f"trackers {version('trackers')}"
LEAST_SIDE = 1e-3
"""Pixels. Smaller boxes have no overlap with anything, and the library's filters divide by it."""


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """What tracking makes of one video's detections."""

    track_ids: NDArray[np.int64]
    """(n,) in the order of the columns; NO_TRACK for none."""
    tracks: tuple[Track, ...]
    """By track_id, which is their order of first appearance."""
    parameters: Mapping[str, object]
    """The algorithm, the library and every parameter, chosen defaults included."""


def follow(
    columns: DetectionColumns,
    times: FrameTimes,
    stage: TrackStage,
    *,
    item: int,
    size: ImageSize | None = None,
    on_beat: Callable[[], None] = lambda: None,
) -> Followed:
    """Objects of each label by themselves, over every analysed frame, also those without any.

    `size` is that of the upright frames: a box at their border is a worse moment to show; None
    doesn't look. `on_beat` is called many times a second. The same input gives the same bytes.
    Raises ValueError for detections in frames not in `times`, VideoTooLong for too many tracks.
    """
    settled = settle(stage, times.pts_seconds)
    seconds = ascending(times.pts_seconds).tolist()
    found = np.full(len(columns), NO_TRACK, np.int64)
    for rows, label_rows in _by_label(columns, _frames_of(columns, times)):
        ids = associate(label_rows, seconds, settled=settled, on_beat=on_beat)
        ids = add_beginnings(label_rows, ids, settled=settled)
        found[rows] = np.where(ids == UNNAMED, NO_TRACK, ids + 1 + found.max())
    track_ids = number_tracks(found, item=item)
    tracks = summarize(columns, track_ids, size=size)
    return Followed(track_ids, tracks, {**settled.parameters, "library": LIBRARY})


def followed_by_model(
    columns: DetectionColumns,
    track_ids: NDArray[np.int64],
    stage: FollowStage,
    *,
    size: ImageSize | None = None,
) -> Followed:
    """Objects that a model followed itself: its numbers, (n,) int64, are those of the tracks."""
    told = stage.model_dump(mode="json", exclude_none=True, exclude={"objects"})
    tracks = summarize(columns, track_ids, size=size)
    return Followed(track_ids, tracks, {"algorithm": "follow", **told})


def _frames_of(columns: DetectionColumns, times: FrameTimes) -> NDArray[np.int64]:
    """(n,) position in `times` of every detection's frame."""
    positions = np.searchsorted(times.frame_index, columns.frame_index)
    known = np.append(times.frame_index, -1)[positions]
    if not np.array_equal(known, columns.frame_index):
        raise ValueError("there are detections in frames that were not analysed")
    return positions.astype(np.int64)


def _by_label(
    columns: DetectionColumns, frames: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], LabelRows]]:
    """Of each label that can be followed its rows and what they hold, in order of time."""
    usable = _have_area(columns.boxes)
    for of_label in _split_by_label(columns.labels):
        rows = of_label[usable[of_label]]
        if len(rows):
            yield rows, LabelRows(columns.boxes[rows], columns.scores[rows], frames[rows])


def _have_area(boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        sides = boxes[:, 2:] - boxes[:, :2]
    finite = np.isfinite(boxes).all(axis=1)
    return np.asarray(finite & (sides >= LEAST_SIDE).all(axis=1))


def _split_by_label(labels: NDArray[np.object_]) -> list[NDArray[np.int64]]:
    numbers: dict[str, int] = {}
    code = np.fromiter(
        (numbers.setdefault(label, len(numbers)) for label in labels), np.int64, count=len(labels)
    )
    ends = np.cumsum(np.bincount(code))
    return np.split(np.argsort(code, kind="stable"), ends[:-1])


def number_tracks(found: NDArray[np.int64], *, item: int) -> NDArray[np.int64]:
    """Track ids in order of each track's first row, made unique in the job.

    `found` are numbers from 1 of any order, NO_TRACK for none. Raises VideoTooLong.
    """
    objects, first_rows, codes = np.unique(found, return_index=True, return_inverse=True)
    is_track = objects != NO_TRACK
    count = int(is_track.sum())
    if count >= TRACKS_PER_ITEM:
        raise VideoTooLong(
            f"{count:,} objects were followed; the limit of a video is {TRACKS_PER_ITEM - 1:,}"
        )
    ids = np.full(len(objects), NO_TRACK, np.int64)
    in_order = np.flatnonzero(is_track)[np.argsort(first_rows[is_track])]
    ids[in_order] = item * TRACKS_PER_ITEM + np.arange(1, count + 1)
    return ids[codes]
