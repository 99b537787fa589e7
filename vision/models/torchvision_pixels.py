"""Pictures as torchvision's networks want them: by the transforms published with the weights."""

from typing import Any

import torch
import torchvision.models
from torch import Tensor

from vision.domain.image import ImageSize, RgbImage

MAX_ASPECT = 16
"""The longer side over the shorter. Upstream scales the shorter side to some hundred pixels,
whatever becomes of the other: 1 x 5,000 pixels would become 520 x 2,600,000."""


def published_transforms(builder: str) -> Any:
    """What upstream's weights say; nothing is downloaded. Any: upstream is untyped."""
    return torchvision.models.get_model_weights(builder).DEFAULT.transforms()


def is_too_long(size: ImageSize) -> bool:
    """Whether upstream's transforms would make too much of it."""
    shorter, longer = sorted((size.width, size.height))
    return longer > MAX_ASPECT * shorter


def middle_of(image: RgbImage) -> RgbImage:
    """All of it, or, of a picture that is too long, its middle that isn't."""
    height, width = image.shape[:2]
    longest = MAX_ASPECT * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return image[top : top + longest, left : left + longest]


def colors_first(image: RgbImage, device: str) -> Tensor:
    """(3, height, width) uint8."""
    return torch.tensor(image, device=device).permute(2, 0, 1)
