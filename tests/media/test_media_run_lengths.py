"""Masks unpacked for drawing."""

import numpy as np
import pytest

from vision.domain.mask import RleMask
from vision.media.drawing.run_lengths import crop_of, run_lengths


@pytest.mark.parametrize("seed", range(8))
def test_run_lengths_are_read_as_coco_writes_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    bitmap = random.random((37, 53)) < (0.02, 0.5, 0.98)[seed % 3]
    if seed > 5:
        bitmap = np.kron(bitmap, np.ones((40, 9), bool))
    mask = RleMask.from_bitmap(bitmap)

    crop = crop_of(mask)

    assert crop is not None
    whole = np.zeros(bitmap.shape, bool)
    height, width = crop.bitmap.shape
    whole[crop.top : crop.top + height, crop.left : crop.left + width] = crop.bitmap > 0
    assert np.array_equal(whole, bitmap)
    assert int(run_lengths(mask.counts).sum()) == bitmap.size


def test_empty_and_full_masks() -> None:
    assert crop_of(RleMask.from_bitmap(np.zeros((5, 7), bool))) is None
    full = crop_of(RleMask.from_bitmap(np.ones((5, 7), bool)))
    assert full is not None
    assert full.bitmap.shape == (5, 7)
    assert full.bitmap.min() == 255


def test_a_mask_is_unpacked_around_itself_only() -> None:
    large = np.zeros((3000, 4000), bool)
    large[1460:1541, 110:191] = True

    crop = crop_of(RleMask.from_bitmap(large))

    assert crop is not None
    assert crop.bitmap.shape == (81, 81)
    assert (crop.left, crop.top) == (110, 1460)
