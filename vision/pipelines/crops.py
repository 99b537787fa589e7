"""What lies in the boxes of several pictures, cut out a bounded number of pixels at a time."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vision.domain.image import RgbImage
from vision.pipelines.boxes import cut_out

CROPS_AT_ONCE = 128
PIXELS_AT_ONCE = 2**24
"""50 MB of copies: a hundred boxes can each be nearly the whole picture."""


def crops_in_groups(
    images: Sequence[RgbImage], boxes: Sequence[NDArray[np.float32]]
) -> Iterator[list[RgbImage]]:
    """Every picture's crops, picture by picture and box by box; a group may span pictures.

    `boxes` has (n, 4) x1, y1, x2, y2 for each picture.
    """
    group: list[RgbImage] = []
    pixels = 0
    for crop in _crops(images, boxes):
        size = crop.shape[0] * crop.shape[1]
        if group and (len(group) == CROPS_AT_ONCE or pixels + size > PIXELS_AT_ONCE):
            yield group
            group, pixels = [], 0
        group.append(crop)
        pixels += size
    if group:
        yield group


def _crops(images: Iterable[RgbImage], boxes: Iterable[NDArray[np.float32]]) -> Iterator[RgbImage]:
    for image, some in zip(images, boxes, strict=True):
        for box in some:
            yield cut_out(image, box)
