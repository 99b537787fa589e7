"""Which images go through a torchvision network together.

Only images that upstream's transform brings to the same padded shape share a pass: else the
larger one's padding would reach into the smaller one's result, and the same image would give
other boxes in other company. How many at a time, `Passes` decides.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vision.domain.image import ImageSize

IMAGES_ON_GPU = 32
"""Handed to a pipeline at once on a GPU; each model divides them as its memory and speed have it.
On a CPU detectors gain nothing from company (docs/benchmarks.md)."""


def by_padded_shape(sizes: Sequence[ImageSize], transform: Any) -> Mapping[str, list[int]]:
    """Indices of the images, each once, without slivers; `transform` is upstream's."""
    groups: dict[str, list[int]] = {}
    for index, size in enumerate(sizes):
        if not is_sliver(size, transform):
            width, height = _padded(size, transform)
            groups.setdefault(f"{width}x{height}", []).append(index)
    return groups


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
