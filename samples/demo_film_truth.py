"""How the demo judges what was found in a film and followed through it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from samples.evaluation.overlap import box_ious
from samples.filming.truth import FilmTruth, TrueBox, rounded

SAME_IOU = 0.5
"""Boxes that overlap so much mean the same object."""
WELL_FOLLOWED = 0.8
"""Of the frames in which an object counts, those with its one most frequent track."""

Found = Mapping[str, Any]
"""A detection as the API says it."""


@dataclass(slots=True)
class Seen:
    """One object of the film: in how many frames it counts, and which tracks it was given."""

    label: str
    frames: int = 0
    found: int = 0
    track_ids: Counter[int] = field(default_factory=Counter)

    @property
    def followed(self) -> float:
        """Share of the frames that have its most frequent track."""
        return max(self.track_ids.values(), default=0) / self.frames


@dataclass(frozen=True, slots=True)
class FilmComparison:
    """What was found, against what is there."""

    objects: Sequence[Seen]
    """Those that count in at least one frame, in order of appearance."""
    others: int
    """Detections that mean no object."""

    @property
    def well_followed(self) -> int:
        return sum(one.followed >= WELL_FOLLOWED for one in self.objects)

    def __str__(self) -> str:
        boxes, found = (
            sum(getattr(one, name) for one in self.objects) for name in ("frames", "found")
        )
        return (
            f"{self.well_followed} of the {len(self.objects)} objects in the film keep one track "
            f"for at least {WELL_FOLLOWED:.0%} of their time; {found} of their {boxes} boxes were "
            f"found, {self.others} finds are wrong"
        )


def compared(truth: FilmTruth, found: Iterable[Found]) -> FilmComparison:
    """Finds on objects that are hidden or cut off too far count neither way."""
    finds: dict[float, list[Found]] = defaultdict(list)
    for detection in found:
        finds[rounded(detection["pts_seconds"])].append(detection)
    seen: dict[int, Seen] = {}
    others = 0
    for seconds, boxes in truth.by_frame():
        for box in boxes:
            if not box.is_ignored:
                seen.setdefault(box.track, Seen(box.label)).frames += 1
        for detection, match in _matched(boxes, finds.pop(seconds, [])):
            if match is None:
                others += 1
            elif not match.is_ignored:
                _note(seen[match.track], detection)
    # At times at which the film has no frame.
    others += sum(len(rest) for rest in finds.values())
    return FilmComparison(tuple(seen.values()), others)


def _note(seen: Seen, detection: Found) -> None:
    seen.found += 1
    if detection["track_id"] is not None:
        seen.track_ids[detection["track_id"]] += 1


def _matched(
    boxes: Sequence[TrueBox], finds: Sequence[Found]
) -> Iterator[tuple[Found, TrueBox | None]]:
    """Each find with its object: the best scored first, each object once."""
    left = list(boxes)
    for detection in sorted(finds, key=lambda one: float(one["score"]), reverse=True):
        match = _best(left, detection)
        if match is not None:
            left.remove(match)
        yield detection, match


def _best(boxes: Sequence[TrueBox], detection: Found) -> TrueBox | None:
    same = [box for box in boxes if box.label == detection["label"]]
    if not same:
        return None
    places = np.array([box.box for box in same], np.float32)
    overlaps = box_ious(places, np.array([detection["box"]], np.float32))[:, 0]
    best = int(overlaps.argmax())
    return same[best] if overlaps[best] >= SAME_IOU else None
