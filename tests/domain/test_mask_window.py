"""Run lengths of a window are those of the whole painted picture."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask
from vision.domain.mask_window import rle_of_window


@given(st.data())
def test_window_gives_the_run_lengths_of_the_whole_picture(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    left = data.draw(st.integers(0, width - 1))
    top = data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left, width)), data.draw(st.integers(top, height))
    seed = data.draw(st.integers(0, 2**32 - 1))
    density = data.draw(st.sampled_from([0.0, 0.5, 0.9, 1.0]))
    window = np.random.default_rng(seed).random((bottom - top, right - left)) < density
    whole = np.zeros((height, width), np.bool_)
    whole[top:bottom, left:right] = window

    mask = rle_of_window(window, left=left, top=top, size=ImageSize(width=width, height=height))

    assert mask == RleMask.from_bitmap(whole)
