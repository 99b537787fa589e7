"""A mask in a large picture, as run lengths, without painting the picture."""

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask


def rle_of_window(window: NDArray[np.bool_], *, left: int, top: int, size: ImageSize) -> RleMask:
    """The mask that is `window` (height, width) at this place of an image of `size`, else empty."""
    starts, ends = _runs(window)
    height = window.shape[0]
    columns, rows = np.divmod(np.concatenate([starts, ends]), height + 1)
    places = (columns + left) * size.height + rows + top
    begins, stops = places[: len(starts)], places[len(starts) :]
    # A run to the foot of the image goes on at the head of the next column: one run.
    separate = begins[1:] != stops[:-1]
    begins = begins[np.concatenate([[True], separate])] if len(begins) else begins
    stops = stops[np.concatenate([separate, [True]])] if len(stops) else stops
    return rle_of_edges(np.stack([begins, stops], 1).reshape(-1), size)


def rle_of_edges(edges: NDArray[np.int64], size: ImageSize) -> RleMask:
    """From the positions, down the columns and ascending, where the mask begins, ends, begins …"""
    return _from_counts(np.diff(np.concatenate([[0], edges, [size.pixels]])), size)


def _runs(window: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where runs start and end, column by column; each column is one longer than the window."""
    height, width = window.shape
    columns = np.zeros((width, height + 1), np.int8)
    columns[:, :height] = window.T
    steps = np.diff(columns.reshape(-1), prepend=np.int8(0))
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)


def _from_counts(counts: NDArray[np.int64], size: ImageSize) -> RleMask:
    if counts[-1] == 0:  # the mask reaches the last pixel: COCO writes no empty run there
        counts = counts[:-1]
    plain = {"size": [size.height, size.width], "counts": counts.tolist()}
    rle = coco.frPyObjects(plain, size.height, size.width)
    return RleMask(size, rle["counts"].decode("ascii"))
