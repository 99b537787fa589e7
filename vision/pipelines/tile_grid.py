"""Where the tiles of a picture lie."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.domain.image import ImageSize, RgbImage
from vision.errors import MediaTooLarge

MAX_TILES = 2000
"""Of one picture: each is a pass through the network."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of whole pixels in a picture; right and bottom are past its last ones."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> ImageSize:
        return ImageSize(width=self.right - self.left, height=self.bottom - self.top)

    @property
    def corner(self) -> NDArray[np.float32]:
        """(2,) float32: x and y of its first pixel."""
        return np.array([self.left, self.top], np.float32)

    def cut_from(self, image: RgbImage) -> RgbImage:
        """Its pixels, as a copy."""
        return np.ascontiguousarray(image[self.top : self.bottom, self.left : self.right])


def tile_grid(size: ImageSize, *, side: int, overlap: float) -> list[Tile]:
    """Tiles that cover the picture and nothing else, row by row; neighbours share `overlap`.

    Each is `side` by `side`, or as long as the picture where that is shorter; the last of a row
    or column is moved in and shares more. Raises MediaTooLarge.
    """
    step = max(1, math.floor(side * (1 - overlap)))
    columns, rows = (_starts(length, side, step) for length in (size.width, size.height))
    if len(columns) * len(rows) > MAX_TILES:
        raise MediaTooLarge(
            f"{size.width}x{size.height} pixels are {len(columns) * len(rows)} tiles of {side} "
            f"with overlap {overlap:g}; the limit is {MAX_TILES}"
        )
    return [
        Tile(left, top, min(left + side, size.width), min(top + side, size.height))
        for top in rows
        for left in columns
    ]


def whole_picture(size: ImageSize) -> Tile:
    """The tile that is all of it."""
    return Tile(0, 0, size.width, size.height)


def reaches_inner_border(
    boxes: NDArray[np.float32], tile: Tile, size: ImageSize, *, within: float
) -> NDArray[np.bool_]:
    """(n,) whether boxes (n, 4) of the picture end at a border of the tile that isn't its own."""
    borders = np.array(
        [
            tile.left if tile.left > 0 else -np.inf,
            tile.top if tile.top > 0 else -np.inf,
            tile.right if tile.right < size.width else np.inf,
            tile.bottom if tile.bottom < size.height else np.inf,
        ]
    )
    starts, ends = boxes[:, :2] <= borders[:2] + within, boxes[:, 2:] >= borders[2:] - within
    reached: NDArray[np.bool_] = np.any(starts | ends, axis=1)
    return reached


def _starts(length: int, side: int, step: int) -> list[int]:
    last = max(0, length - side)
    return [*range(0, last, step), last]
