"""What a worker does, by hand: real claims and real commits of results that the test chose."""

from collections.abc import Callable

import numpy as np

from vision.domain.detections import Detections
from vision.domain.findings import Findings
from vision.domain.image import ImageSize
from vision.domain.job import ItemFailure, ItemResult, Lease, UnitResult, WorkItem
from vision.domain.mask import RleMask
from vision.domain.provenance import Provenance, StageProvenance
from vision.engine.parts import Engine

PROVENANCE = Provenance(
    stages=(StageProvenance("detect", "demo_maskrcnn", "ab" * 32, {"min_score": 0.5}),),
    code_version="0",
    device="cpu",
    precision="float32",
)
Finder = Callable[[WorkItem], Detections | ItemFailure]


def two_things(_item: WorkItem) -> Detections:
    """A car with a mask, and a person left of it; both with two keypoints."""
    bitmaps = np.zeros((2, 48, 64), bool)
    bitmaps[0, 10:30, 20:60] = True
    bitmaps[1, 5:40, 2:12] = True
    return Detections(
        boxes=np.array([[20, 10, 60, 30], [2, 5, 12, 40]], np.float32),
        labels=("car", "person"),
        class_ids=np.array([2, 1]),
        scores=np.array([0.9, 0.6], np.float32),
        masks=RleMask.from_bitmaps(bitmaps),
        keypoints=np.array([[[25, 12, 0.5], [50, 28, 0.25]], [[5, 6, 1], [7, 30, 1]]], np.float32),
    )


def many_things(count: int) -> Finder:
    """That many boxes in every picture, with falling scores."""
    columns = np.arange(count, dtype=np.float32)
    found = Detections(
        boxes=np.stack([columns, columns, columns + 4, columns + 4], axis=1),
        labels=tuple("even" if index % 2 == 0 else "odd" for index in range(count)),
        class_ids=np.arange(count) % 2,
        scores=1 - columns / (2 * count),
    )
    return lambda _item: found


def broken(_item: WorkItem) -> ItemFailure:
    return ItemFailure("image_truncated", "the picture ends too early")


def work(engine: Engine, finder: Finder = two_things) -> int:
    """Claims and commits until nothing is ready; how many units."""
    units = 0
    while leases := engine.units.claim("test", lease_seconds=60):
        for lease in leases:
            assert engine.units.commit(images_result(lease, finder))
            units += 1
    return units


def images_result(lease: Lease, finder: Finder) -> UnitResult:
    items = tuple(_item_result(item, finder(item)) for item in lease.items)
    has_results = any(item.detections is not None for item in items)
    return UnitResult(lease, items, PROVENANCE if has_results else None)


def _item_result(item: WorkItem, found: Detections | ItemFailure) -> ItemResult:
    if isinstance(found, ItemFailure):
        return ItemResult(item.index, failure=found)
    return ItemResult(item.index, findings=Findings(found))


SIZE = ImageSize(width=64, height=48)
"""Of the pictures that `two_things` belongs to."""
