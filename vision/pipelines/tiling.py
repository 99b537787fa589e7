"""Small objects in big pictures: a detector shown overlapping squares, and one answer of all."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import chain
from typing import Any

import numpy as np

from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.domain.mask_window import rle_of_window
from vision.models.base import DetectOptions, Detector
from vision.pipelines.stages import Tiles
from vision.pipelines.tile_grid import Tile, reaches_inner_border, tile_grid, whole_picture
from vision.pipelines.tile_merging import surviving

TILES_AT_ONCE = 8
"""Handed to the detector together: their copies cost memory."""
CUT_PIXELS = 4.0
"""A box that ends so near to a tile's border is cut by it: how far boxes of cut things fall short
of it was measured with demo_maskrcnn; 8 finds no more of them than 4."""


def detect_in_tiles(
    detector: Detector, image: RgbImage, options: DetectOptions, tiles: Tiles
) -> Detections:
    """As `detector.detect` of the whole image: the same columns, limits and order.

    Which rows of which tile stay says `tile_merging`; an object larger than a tile's overlap can
    be cut in every tile, so only `whole` is sure to show it in one piece. An image that is one
    tile is just detected. Raises MediaTooLarge.
    """
    size = ImageSize.of(image)
    looks = _looks(size, tiles)
    found = list(_detected(detector, image, options, looks))
    if len(looks) == 1 or not any(map(len, found)):
        return found[0]
    moved = [_moved(rows, tile) for rows, tile in zip(found, looks, strict=True)]
    rows, tile_of = _joined(moved), np.repeat(np.arange(len(looks)), [len(one) for one in moved])
    is_cut = [
        reaches_inner_border(one.boxes, tile, size, within=CUT_PIXELS)
        for one, tile in zip(moved, looks, strict=True)
    ]
    kept = surviving(
        rows, is_cut=np.concatenate(is_cut), tiles=tile_of, iou_threshold=tiles.iou_threshold
    )[: options.max_detections]
    return _with_placed_masks(rows.select(kept), [looks[index] for index in tile_of[kept]], size)


def _looks(size: ImageSize, tiles: Tiles) -> list[Tile]:
    """The tiles row by row, then all of the picture if wanted and not the only tile."""
    grid = tile_grid(size, side=tiles.size, overlap=tiles.overlap)
    return [*grid, whole_picture(size)] if tiles.whole and len(grid) > 1 else grid


def _detected(
    detector: Detector, image: RgbImage, options: DetectOptions, looks: Sequence[Tile]
) -> Iterator[Detections]:
    for start in range(0, len(looks), TILES_AT_ONCE):
        together = looks[start : start + TILES_AT_ONCE]
        yield from detector.detect([tile.cut_from(image) for tile in together], options)


def _moved(rows: Detections, tile: Tile) -> Detections:
    """Boxes and keypoints at their place in the picture; masks stay the tile's."""
    keypoints = rows.keypoints
    if keypoints is not None:
        keypoints = keypoints + np.append(tile.corner, np.float32(0))
    return replace(rows, boxes=rows.boxes + np.tile(tile.corner, 2), keypoints=keypoints)


def _joined(parts: Sequence[Detections]) -> Detections:
    """All rows in order; a tile in which nothing was found may lack columns that others have."""
    filled = [part for part in parts if len(part)]
    columns = {
        field.name: _stacked([getattr(part, field.name) for part in filled])
        for field in fields(Detections)
    }
    return replace(filled[0], **columns)


def _stacked(columns: Sequence[Any]) -> Any:
    """Arrays or tuples end to end; None for a column that not all have."""
    if any(column is None for column in columns):
        return None
    if isinstance(columns[0], tuple):
        return tuple(chain.from_iterable(columns))
    return np.concatenate(columns)


def _with_placed_masks(rows: Detections, tiles: Sequence[Tile], size: ImageSize) -> Detections:
    if rows.masks is None:
        return rows
    pairs = zip(rows.masks, tiles, strict=True)
    return replace(rows, masks=tuple(_placed(mask, tile, size) for mask, tile in pairs))


def _placed(mask: RleMask, tile: Tile, size: ImageSize) -> RleMask:
    if mask.size == size:
        return mask
    return rle_of_window(mask.bitmap(), left=tile.left, top=tile.top, size=size)
