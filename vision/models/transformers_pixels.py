"""A picture as transformers' image processors want it."""

from typing import Any

import torch
from torch import Tensor

from vision.domain.image import RgbImage


def pixel_values(image_processor: Any, image: RgbImage) -> Tensor:
    """(1, 3, height, width) as the network sees it, on the CPU. Any: upstream is untyped.

    Said outright which axis the colors are on: of a picture that is 1 or 3 pixels high, upstream
    would guess wrong.
    """
    channels_first = torch.tensor(image).permute(2, 0, 1)
    prepared = image_processor(
        images=channels_first, input_data_format="channels_first", return_tensors="pt"
    )
    pixels = prepared["pixel_values"]
    assert isinstance(pixels, Tensor)
    return pixels
