"""Detections and tracks of films against the truth; MOTA and IDF1 are motmetrics' own.

A find on an object that is ignored counts neither way: as in the MOT Challenge, finds are matched
with all true boxes first, and those that go to an ignored one are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import motmetrics
import numpy as np
from motmetrics.lap import linear_sum_assignment
from numpy.typing import NDArray

from samples.evaluation.figure import Figure
from samples.evaluation.overlap import box_ious
from samples.filming.truth import FilmTruth, TrueBox

MATCHING_IOU = 0.5
FOUND_FLOOR, TRACKED_FLOOR = 0.9, 0.85
OVERALL = "OVERALL"
NO_TRACK = 0


@dataclass(frozen=True, slots=True, eq=False)
class FrameFinds:
    """What was found in one frame."""

    boxes: NDArray[np.float32]
    """(n, 4) x1, y1, x2, y2 in pixels."""
    labels: tuple[str, ...]
    track_ids: NDArray[np.int64]
    """(n,) 0 belongs to no track."""

    @classmethod
    def nothing(cls) -> "FrameFinds":
        return cls(np.zeros((0, 4), np.float32), (), np.zeros(0, np.int64))

    def only(self, kept: NDArray[np.bool_]) -> "FrameFinds":
        labels = tuple(label for label, keep in zip(self.labels, kept, strict=True) if keep)
        return FrameFinds(self.boxes[kept], labels, self.track_ids[kept])


@dataclass(frozen=True, slots=True, eq=False)
class FilmFinds:
    """A film's truth and, by a frame's time in whole microseconds, what was found."""

    truth: FilmTruth
    frames: Mapping[int, FrameFinds]

    def at(self, seconds: float) -> FrameFinds:
        return self.frames.get(microseconds(seconds)) or FrameFinds.nothing()


@dataclass(frozen=True, slots=True)
class Counts:
    """Of boxes, over frames."""

    matched: int = 0
    found: int = 0
    true: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.matched + other.matched, self.found + other.found, self.true + other.true
        )

    @property
    def precision(self) -> float:
        return self.matched / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        return self.matched / self.true if self.true else 0.0


def microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)


def tracking_figures(films: Sequence[FilmFinds]) -> list[Figure]:
    """Of each film, and of all together; every one has its floor."""
    counts = {film.truth.file_name: box_counts(film) for film in films}
    counts[OVERALL] = sum(counts.values(), Counts())
    accumulators = [accumulated(film) for film in films]
    host = motmetrics.metrics.create()
    summary = host.compute_many(
        accumulators,
        names=[film.truth.file_name for film in films],
        metrics=["mota", "idf1", "num_switches"],
        generate_overall=True,
    )
    return [
        figure
        for name, count in counts.items()
        for figure in (
            Figure(f"{name} precision", count.precision, FOUND_FLOOR),
            Figure(f"{name} recall", count.recall, FOUND_FLOOR),
            Figure(f"{name} MOTA", float(summary.loc[name, "mota"]), TRACKED_FLOOR),
            Figure(f"{name} IDF1", float(summary.loc[name, "idf1"]), TRACKED_FLOOR),
            Figure(f"{name} identity switches", float(summary.loc[name, "num_switches"])),
        )
    ]


def box_counts(film: FilmFinds) -> Counts:
    """All finds, whether they belong to a track or not."""
    total = Counts()
    for seconds, boxes in film.truth.by_frame():
        counted, finds = without_ignored(boxes, film.at(seconds))
        matched = len(matches(counted, finds))
        total += Counts(matched, len(finds.labels), len(counted))
    return total


def accumulated(film: FilmFinds) -> motmetrics.MOTAccumulator:
    """motmetrics' record of all frames; finds without a track are not there."""
    record = motmetrics.MOTAccumulator(auto_id=True)
    for seconds, boxes in film.truth.by_frame():
        finds = film.at(seconds)
        counted, finds = without_ignored(boxes, finds.only(finds.track_ids != NO_TRACK))
        tracks = [box.track for box in counted]
        record.update(tracks, finds.track_ids.tolist(), distances(counted, finds))
    return record


def without_ignored(
    boxes: Sequence[TrueBox], finds: FrameFinds
) -> tuple[tuple[TrueBox, ...], FrameFinds]:
    """The boxes that count, and the finds that are not on one that doesn't."""
    kept = np.ones(len(finds.labels), bool)
    for row, column in matches(boxes, finds):
        kept[column] = not boxes[row].is_ignored
    return tuple(box for box in boxes if not box.is_ignored), finds.only(kept)


def distances(boxes: Sequence[TrueBox], finds: FrameFinds) -> NDArray[np.float64]:
    """(n, m) 1 - intersection over union; NaN for what can't be the same object."""
    true = np.array([box.box for box in boxes], np.float32).reshape(-1, 4)
    ious = box_ious(true, finds.boxes).astype(np.float64)
    labels = np.array([box.label for box in boxes], object)
    is_same_label = labels[:, None] == np.array(finds.labels, object)[None]
    return np.where(is_same_label & (ious >= MATCHING_IOU), 1 - ious, np.nan)


def matches(boxes: Sequence[TrueBox], finds: FrameFinds) -> list[tuple[int, int]]:
    """Places of boxes and finds that go together: as many as possible, each used once."""
    rows, columns = linear_sum_assignment(distances(boxes, finds))
    return list(zip(rows.tolist(), columns.tolist(), strict=True))
