"""Masks survive the way through run lengths, JSON and back."""

import numpy as np
import pytest

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask, areas


@pytest.mark.parametrize(
    "bitmap",
    [
        pytest.param(np.zeros((4, 6), bool), id="empty"),
        pytest.param(np.ones((4, 6), bool), id="full"),
        pytest.param(np.eye(5, dtype=bool), id="diagonal"),
        pytest.param(np.arange(12).reshape(3, 4) == 0, id="first pixel"),
        pytest.param(np.arange(12).reshape(3, 4) == 11, id="last pixel"),
        pytest.param(np.random.default_rng(0).random((37, 53)) > 0.5, id="noise"),
    ],
)
def test_bitmap_comes_back_unchanged(bitmap: np.ndarray) -> None:
    mask = RleMask.from_bitmap(bitmap)

    assert mask.size == ImageSize(width=bitmap.shape[1], height=bitmap.shape[0])
    assert np.array_equal(mask.bitmap(), bitmap)
    assert mask.area == bitmap.sum()
    assert RleMask.from_json(mask.to_json()) == mask


def test_many_bitmaps_at_once_equal_one_by_one() -> None:
    bitmaps = np.random.default_rng(1).random((5, 11, 7)) > 0.4

    masks = RleMask.from_bitmaps(bitmaps)

    assert masks == tuple(RleMask.from_bitmap(bitmap) for bitmap in bitmaps)
    assert areas(masks).tolist() == bitmaps.sum((1, 2)).tolist()


def test_json_size_is_height_then_width() -> None:
    mask = RleMask.from_bitmap(np.ones((2, 9), bool))

    assert mask.to_json()["size"] == [2, 9]


def test_bitmaps_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(n, height, width\)"):
        RleMask.from_bitmaps(np.ones((2, 9), bool))
