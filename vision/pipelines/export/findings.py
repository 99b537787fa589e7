"""What every export format is written from, and the JSON forms they share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vision.domain.detections import Detection
from vision.domain.job import Item, Job
from vision.domain.media import MediaFacts, MediaKind
from vision.domain.stored import StoredDetection
from vision.domain.stored_findings import (
    Classified,
    Embedded,
    StoredClassification,
    StoredEmbedding,
)
from vision.domain.track import Track
from vision.domain.video import FrameTimes
from vision.pipelines.export.whole_pictures import vector_json


@dataclass(frozen=True, slots=True)
class Picture:
    """An image, or one analysed frame of a video, with everything found in it."""

    item: Item
    detections: tuple[StoredDetection, ...]
    frame_index: int | None = None
    """None for an image."""
    pts_seconds: float | None = None
    classes: tuple[StoredClassification, ...] = ()
    """The best first."""
    embedding: StoredEmbedding | None = None
    """Of the whole."""


def no_frames(_item: Item) -> FrameTimes:
    return FrameTimes(np.zeros(0, np.int64), np.zeros(0, np.float64))


def no_tracks(_item: Item) -> Iterable[Track]:
    return ()


def nothing_along(_item: Item, _track: Track) -> Iterable[StoredDetection]:
    return ()


def no_embeddings(_of: Set[Embedded]) -> Iterable[StoredEmbedding]:
    return ()


def no_classes(_of: Set[Classified]) -> Iterable[StoredClassification]:
    return ()


def no_clips(_item: Item) -> Iterable[StoredClassification]:
    return ()


@dataclass(frozen=True, slots=True)
class JobFindings:
    """One job's results. `detections` is read once, so it may stream from a database."""

    job: Job
    items: tuple[Item, ...]
    """Every item of the job, in its order."""
    detections: Iterable[StoredDetection]
    """With masks and keypoints, in the order of the items, within an item in order of time and
    the model's."""
    keypoint_names: tuple[str, ...] = ()
    """Of the model that gives keypoints, where the catalogue names them."""
    frame_times: Callable[[Item], FrameTimes] = no_frames
    """Of a video: the frames that were analysed, those without detections too."""
    tracks: Callable[[Item], Iterable[Track]] = no_tracks
    """Of a video, in order of their ids."""
    along: Callable[[Item, Track], Iterable[StoredDetection]] = nothing_along
    """What a track consists of, in order of time; masks are not needed."""
    embeddings: Callable[[Set[Embedded]], Iterable[StoredEmbedding]] = no_embeddings
    """Of such things, in the order of the detections."""
    classifications: Callable[[Set[Classified]], Iterable[StoredClassification]] = no_classes
    """Of such things, in the same order, the best first."""
    clips: Callable[[Item], Iterable[StoredClassification]] = no_clips
    """Of a video: the names of its clips, in order of time."""

    def by_item(self, *, with_whole: bool = False) -> Iterator[tuple[Item, Iterator[Picture]]]:
        """Every item with its pictures: an image has one, a video one per analysed frame.

        `with_whole` reads their classes and embeddings too. One picture is in memory at a time: an
        item's pictures are gone when the next item comes. Raises ValueError when the detections are
        in another order.
        """
        ahead = _Ahead(self._rows() if with_whole else self.detections)
        for item in self.items:
            pictures = self._pictures(item, ahead)
            yield item, pictures
            for _unread in pictures:
                pass
        if ahead.item is not None:
            raise ValueError(f"detections of item {ahead.item} are not in the order of the items")

    def pictures(self) -> Iterator[Picture]:
        """Those of all items."""
        return (picture for _item, pictures in self.by_item() for picture in pictures)

    def with_items(self) -> Iterator[tuple[Item, StoredDetection]]:
        """Every detection beside its item."""
        by_index = {item.index: item for item in self.items}
        return ((by_index[stored.item], stored) for stored in self.detections)

    def _rows(self) -> Iterator["_Row"]:
        """All that is about images and frames, in the job's order."""
        return merge(
            self.detections,
            self.embeddings({Embedded.IMAGE, Embedded.FRAME}),
            self.classifications({Classified.IMAGE, Classified.FRAME}),
            key=_place,
        )

    def _pictures(self, item: Item, ahead: "_Ahead") -> Iterator[Picture]:
        if item.facts.kind is not MediaKind.VIDEO:
            yield _picture(item, ahead.take(item, None))
            return
        times = self.frame_times(item)
        for index, seconds in zip(times.frame_index, times.pts_seconds, strict=True):
            # While the job runs, frames may be stored after the list of them was read.
            yield from ahead.pictures_before(item, int(index))
            yield _picture(item, ahead.take(item, int(index)), int(index), float(seconds))
        yield from ahead.pictures_before(item, None)


_Row: TypeAlias = StoredDetection | StoredEmbedding | StoredClassification


def _place(row: _Row) -> tuple[int, int]:
    return row.item, -1 if row.frame_index is None else row.frame_index


def _picture(
    item: Item, rows: Iterable[_Row], frame: int | None = None, seconds: float | None = None
) -> Picture:
    found = tuple(rows)
    vectors = [row for row in found if isinstance(row, StoredEmbedding)]
    return Picture(
        item,
        tuple(row for row in found if isinstance(row, StoredDetection)),
        frame,
        seconds,
        classes=tuple(row for row in found if isinstance(row, StoredClassification)),
        embedding=vectors[0] if vectors else None,
    )


class _Ahead:
    """Rows picture by picture, with a look at which picture is next."""

    def __init__(self, rows: Iterable[_Row]) -> None:
        self._groups = groupby(rows, key=lambda row: (row.item, row.frame_index))
        self.item: int | None
        """Of the next rows; None after the last."""
        self._frame: int | None
        self._found: Iterator[_Row]
        self._advance()

    def take(self, item: Item, frame: int | None) -> tuple[_Row, ...]:
        """Those of this picture, if they are next, else none."""
        if (self.item, self._frame) != (item.index, frame):
            return ()
        found = tuple(self._found)
        self._advance()
        return found

    def pictures_before(self, item: Item, frame: int | None) -> Iterator[Picture]:
        """Frames of the item before the given one; None is the end."""
        while self.item == item.index and self._frame is not None:
            if frame is not None and self._frame >= frame:
                return
            at = self._frame
            found = self.take(item, at)
            yield _picture(item, found, at, _seconds(found[0]))

    def _advance(self) -> None:
        (self.item, self._frame), self._found = next(self._groups, _NO_GROUP)


_NO_GROUP: tuple[tuple[int | None, int | None], Iterator[_Row]] = ((None, None), iter(()))


def _seconds(row: _Row) -> float | None:
    return row.from_seconds if isinstance(row, StoredClassification) else row.pts_seconds


def provenance_of(job: Job, digest: str | None) -> Mapping[str, object] | None:
    """The run with this digest, as it is in `Job.provenances`."""
    matching = (run for run in job.provenances if run["digest"] == digest)
    return next(matching, None)


def detection_json(detection: Detection) -> dict[str, object]:
    """Everything of one detection, under the names of the REST API."""
    keypoints = detection.keypoints
    return {
        "label": detection.label,
        "class_id": detection.class_id,
        "score": _short(detection.score),
        "box": [_short(value) for value in detection.box],
        "mask": None if detection.mask is None else detection.mask.to_json(),
        "keypoints": None if keypoints is None else points_json(keypoints),
        "predicted_iou": _short(detection.predicted_iou),
        "stability_score": _short(detection.stability_score),
        "embedding": None if detection.embedding is None else vector_json(detection.embedding),
    }


def points_json(keypoints: NDArray[np.float32]) -> list[list[float]]:
    """[[x, y, score], …]"""
    return [[float(str(value)) for value in point] for point in keypoints]


def media_json(facts: MediaFacts) -> dict[str, object]:
    """What the content says of itself."""
    still: dict[str, object] = {
        "kind": facts.kind.value,
        "media_type": facts.media_type,
        "width": facts.size.width,
        "height": facts.size.height,
    }
    return still if facts.kind is MediaKind.IMAGE else still | _motion(facts)


def _motion(facts: MediaFacts) -> dict[str, object]:
    return {
        "duration_seconds": facts.duration_seconds,
        "average_fps": facts.average_fps,
        "real_fps": facts.real_fps,
        "frame_count": facts.frame_count,
        "start_seconds": facts.start_seconds,
        "container": facts.container,
        "codec": facts.codec,
        "rotation": facts.rotation,
    }


def track_json(track: Track) -> dict[str, object]:
    """All of it, as every answer about it says it."""
    best = track.best
    return {
        "track_id": track.track_id,
        "label": track.label,
        "class_id": track.class_id,
        "first_seconds": track.first_seconds,
        "last_seconds": track.last_seconds,
        "first_frame": track.first_frame,
        "last_frame": track.last_frame,
        "detections": track.detections,
        "best": {
            "frame_index": best.frame_index,
            "pts_seconds": best.pts_seconds,
            "box": list(best.box),
            "score": best.score,
        },
        "path": track.path.tolist(),
    }


def _short(value: float | None) -> float | None:
    # A model's number is float32: 0.9 is truer than its image in float64, 0.8999999761581421.
    return None if value is None else float(str(np.float32(value)))
