"""Masks pasted one by one are those that upstream paints."""

import pytest
import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask
from vision.models.mask_pasting import pasted

SIZE = ImageSize(width=60, height=40)


@pytest.mark.parametrize(
    "box",
    [
        (10.2, 5.7, 30.1, 25.9),
        (0.0, 0.0, 60.0, 40.0),
        (-8.0, -9.0, 12.0, 14.0),
        (50.0, 30.0, 75.0, 55.0),
        (20.4, 20.4, 20.6, 20.6),
        (12.0, 0.0, 30.0, 40.0),
    ],
    ids=["inside", "whole", "past top left", "past bottom right", "below a pixel", "full height"],
)
def test_pasted_masks_are_upstreams(box: tuple[float, float, float, float]) -> None:
    torch.manual_seed(1)
    small = torch.nn.functional.avg_pool2d(torch.rand(3, 1, 30, 30), 3, stride=1)
    boxes = torch.tensor([box] * 3)
    expected = paste_masks_in_image(small, boxes, (SIZE.height, SIZE.width))[:, 0] > 0.5

    assert pasted(small, boxes, SIZE) == RleMask.from_bitmaps(expected.numpy())


def test_no_rows_give_no_masks() -> None:
    assert pasted(torch.zeros(0, 1, 28, 28), torch.zeros(0, 4), SIZE) == ()
