"""Pictures as transformers' image processors want them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vision.domain.image import RgbImage


def prepared(image_processor: Any, images: Sequence[RgbImage], *, device: str) -> Any:
    """The processor's inputs for the network, made on that device. Any: upstream is untyped.

    Said outright which axis the colors are on: of a picture that is 1 or 3 pixels high, upstream
    would guess wrong. Copied: pictures are read-only, which torch warns of.
    """
    return image_processor(
        images=[torch.tensor(image).permute(2, 0, 1) for image in images],
        input_data_format="channels_first",
        device=device,
        return_tensors="pt",
    )


def pixel_values(image_processor: Any, images: Sequence[RgbImage], *, device: str) -> Tensor:
    """(n, 3, height, width) as the network sees pictures that come out of one size."""
    pixels = prepared(image_processor, images, device=device)["pixel_values"]
    assert isinstance(pixels, Tensor)
    return pixels
