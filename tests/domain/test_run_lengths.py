"""Masks from outside: whole ones come in, whatever could lead the decoder astray does not."""

import numpy as np
import pytest

from vision.domain.mask import RleMask, tight_boxes
from vision.domain.run_lengths import mask_from_outside, run_lengths


def noise(seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    height, width = generator.integers(1, 90, 2)
    return np.kron(generator.random((height, width)) < generator.random(), np.ones((3, 2))) > 0


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_are_those_of_the_mask(seed: int) -> None:
    bitmap = noise(seed)
    mask = RleMask.from_bitmap(bitmap)

    runs = list(run_lengths(mask.counts))

    sides = np.arange(len(runs)) % 2 == 1
    assert np.array_equal(np.repeat(sides, runs), bitmap.T.reshape(-1))
    assert mask_from_outside(mask.to_json()) == mask


@pytest.mark.parametrize("bitmap", [np.zeros((4, 6), bool), np.ones((4, 6), bool)])
def test_empty_and_full_masks_come_in(bitmap: np.ndarray) -> None:
    mask = RleMask.from_bitmap(bitmap)

    assert mask_from_outside({"size": [4, 6], "counts": mask.counts}) == mask


WHOLE = RleMask.from_bitmap(np.eye(40, dtype=bool)).counts


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"size": [40, 41], "counts": WHOLE}, "don't fill 41x40"),
        ({"size": [40, 39], "counts": WHOLE}, "don't fill 39x40"),
        ({"size": [40, 40], "counts": WHOLE + "1"}, "don't fill"),
        ({"size": [40, 40], "counts": WHOLE[:-1]}, r"don't fill|middle of a number"),
        ({"size": [40, 40], "counts": "o"}, "middle of a number"),
        ({"size": [40, 40], "counts": "oooooooo1"}, "no digit"),
        ({"size": [40, 40], "counts": "!" + WHOLE}, "no digit"),
        ({"size": [40, 40], "counts": "O"}, "don't fill"),
        ({"size": [40, 40], "counts": 7}, "counts is a text"),
        ({"size": [40, 40]}, "counts is a text"),
        ({"size": [40], "counts": WHOLE}, "size is"),
        ({"size": [40.0, 40], "counts": WHOLE}, "size is"),
        ({"size": [0, 40], "counts": ""}, "at least 1x1"),
        ({"counts": WHOLE}, "size is"),
    ],
    ids=[
        "too short",
        "too long",
        "one more",
        "one less",
        "unfinished",
        "endless number",
        "no digit",
        "negative",
        "no text",
        "nothing",
        "one side",
        "half pixels",
        "no pixels",
        "no size",
    ],
)
def test_what_is_no_whole_mask_is_refused(document: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        mask_from_outside(document)


def test_tight_boxes_include_their_edges() -> None:
    bitmaps = np.zeros((2, 10, 20), bool)
    bitmaps[0, 2:5, 3:9] = True

    boxes = tight_boxes(RleMask.from_bitmaps(bitmaps))

    assert boxes.dtype == np.float32
    assert boxes.tolist() == [[3, 2, 9, 5], [0, 0, 0, 0]]
    assert tight_boxes(()).shape == (0, 4)
