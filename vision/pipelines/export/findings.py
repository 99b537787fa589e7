"""What every export format is written from, and the JSON forms they share."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from vision.domain.detections import Detection
from vision.domain.job import Item, Job
from vision.domain.media import MediaFacts
from vision.domain.stored import StoredDetection


@dataclass(frozen=True, slots=True)
class Findings:
    """One job's results. `detections` is read once, so it may stream from a database."""

    job: Job
    items: tuple[Item, ...]
    """Every item of the job, in its order."""
    detections: Iterable[StoredDetection]
    """With masks and keypoints, in the order of the items, within an item in the model's."""
    keypoint_names: tuple[str, ...] = ()
    """Of the model that gives keypoints, where the catalogue names them."""

    def by_item(self) -> Iterator[tuple[Item, tuple[StoredDetection, ...]]]:
        """Every item with its detections, those with none too; one item in memory at a time.

        Raises ValueError when the detections are in another order.
        """
        groups = groupby(self.detections, key=lambda stored: stored.item)
        index, found = next(groups, _NO_GROUP)
        for item in self.items:
            if item.index == index:
                yield item, tuple(found)
                index, found = next(groups, _NO_GROUP)
            else:
                yield item, ()
        if index is not None:
            raise ValueError(f"detections of item {index} are not in the order of the items")

    def with_items(self) -> Iterator[tuple[Item, StoredDetection]]:
        """Every detection beside its item."""
        by_index = {item.index: item for item in self.items}
        return ((by_index[stored.item], stored) for stored in self.detections)


_NO_GROUP: tuple[int | None, Iterator[StoredDetection]] = (None, iter(()))


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
    }


def points_json(keypoints: NDArray[np.float32]) -> list[list[float]]:
    """[[x, y, score], …]"""
    return [[float(str(value)) for value in point] for point in keypoints]


def media_json(facts: MediaFacts) -> dict[str, object]:
    """What the content says of itself."""
    return {
        "kind": facts.kind.value,
        "media_type": facts.media_type,
        "width": facts.size.width,
        "height": facts.size.height,
    }


def _short(value: float | None) -> float | None:
    # A model's number is float32: 0.9 is truer than its image in float64, 0.8999999761581421.
    return None if value is None else float(str(np.float32(value)))
