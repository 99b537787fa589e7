"""Which images go through a torchvision network together.

Only images that upstream's transform brings to the same padded shape share a batch: else the
larger one's padding would reach into the smaller one's result, and the same image would give
other boxes in other company.
"""

import math
from collections.abc import Sequence
from typing import Any

from vision.domain.image import ImageSize

GPU_BATCH = 8
"""Images in one pass on a GPU; on a CPU batches gain nothing (docs/benchmarks.md)."""


def batches(sizes: Sequence[ImageSize], transform: Any, *, device: str) -> list[list[int]]:
    """Indices of the images, each once, without slivers; `transform` is upstream's."""
    groups: dict[tuple[int, int], list[int]] = {}
    for index, size in enumerate(sizes):
        if not is_sliver(size, transform):
            groups.setdefault(_padded(size, transform), []).append(index)
    limit = 1 if device == "cpu" else GPU_BATCH
    return [
        group[start : start + limit]
        for group in groups.values()
        for start in range(0, len(group), limit)
    ]


def is_sliver(size: ImageSize, transform: Any) -> bool:
    """Whether the network would see less than one pixel across: upstream fails on these.

    Nothing can be found there, so nothing is.
    """
    return min(_scaled(size, transform)) < 1


def _scaled(size: ImageSize, transform: Any) -> tuple[int, int]:
    """Width and height after upstream's resize."""
    if transform.fixed_size is not None:
        return transform.fixed_size[0], transform.fixed_size[1]
    shorter, longer = sorted((size.width, size.height))
    scale = min(transform.min_size[-1] / shorter, transform.max_size / longer)
    return math.floor(size.width * scale), math.floor(size.height * scale)


def _padded(size: ImageSize, transform: Any) -> tuple[int, int]:
    step = transform.size_divisible
    width, height = _scaled(size, transform)
    return math.ceil(width / step) * step, math.ceil(height / step) * step
