"""A mask's bitmap around the mask only: the empty rest of a large picture costs nothing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.domain.mask import RleMask


@dataclass(frozen=True, slots=True, eq=False)
class MaskCrop:
    """The part of a mask that has pixels."""

    bitmap: NDArray[np.uint8]
    """(height, width) uint8, 255 inside and 0 outside."""
    left: int
    top: int


def crop_of(mask: RleMask) -> MaskCrop | None:
    """None for an empty mask."""
    height = mask.size.height
    edges = np.cumsum(run_lengths(mask.counts))
    starts, ends = edges[0 : len(edges) - 1 : 2], edges[1::2]
    is_filled = ends > starts
    starts, ends = starts[is_filled], ends[is_filled]
    if not len(starts):
        return None
    left, right = int(starts[0]) // height, int(ends[-1] - 1) // height + 1
    top, bottom = _rows(starts, ends, height)
    columns = _columns(starts - left * height, ends - left * height, (right - left) * height)
    bitmap = columns.reshape(right - left, height)[:, top:bottom].T
    return MaskCrop(np.ascontiguousarray(bitmap), left, top)


def run_lengths(counts: str) -> NDArray[np.int64]:
    """(n,) int64 from COCO's compressed form: pixels outside, inside, outside, …, by columns.

    Six bits a letter, the lowest five are digits, the sixth says that more follow; from the
    fourth number on, each is written as the difference to the last but one.
    """
    letters = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    last = np.flatnonzero((letters & 32) == 0)
    first = np.concatenate(([0], last[:-1] + 1))
    shifts = 5 * (np.arange(len(letters)) - np.repeat(first, last - first + 1))
    values = np.add.reduceat((letters & 31) << shifts, first)
    values -= np.where(letters[last] & 16, np.int64(1) << (shifts[last] + 5), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def _rows(starts: NDArray[np.int64], ends: NDArray[np.int64], height: int) -> tuple[int, int]:
    """The first row with a pixel, and the one behind the last."""
    if np.any(starts // height != (ends - 1) // height):
        return 0, height  # a run that goes on in the next column touches both edges
    return int((starts % height).min()), int(((ends - 1) % height).max()) + 1


def _columns(starts: NDArray[np.int64], ends: NDArray[np.int64], length: int) -> NDArray[np.uint8]:
    """(length,) uint8: 255 within the runs."""
    edges = np.stack((starts, ends), axis=1).ravel()
    lengths = np.diff(edges, prepend=0, append=length)
    values = np.zeros(len(lengths), np.uint8)
    values[1::2] = 255
    return np.repeat(values, lengths)
