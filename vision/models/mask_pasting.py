"""Mask R-CNN's small masks as run lengths of the whole image, without ever painting the image.

Upstream pastes every mask into a float image of its own: 100 masks of a photograph of 12
megapixels are 4.8 GB. Here a mask costs its own box. The bits are upstream's.
"""

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection.roi_heads import expand_boxes, expand_masks

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask
from vision.domain.mask_window import rle_of_window

PADDING = 1
"""Pixels around a small mask, as upstream pads it before enlarging."""
THRESHOLD = 0.5


def pasted(probabilities: Tensor, boxes: Tensor, size: ImageSize) -> tuple[RleMask, ...]:
    """Masks from (n, 1, m, m) probabilities and (n, 4) boxes in pixels of an image of `size`."""
    padded, scale = expand_masks(probabilities, padding=PADDING)
    grown = expand_boxes(boxes, scale).to(torch.int64).tolist()
    return tuple(
        _pasted_one(small[0], (x1, y1, x2, y2), size)
        for small, (x1, y1, x2, y2) in zip(padded, grown, strict=True)
    )


def _pasted_one(small: Tensor, box: tuple[int, int, int, int], size: ImageSize) -> RleMask:
    x1, y1, x2, y2 = box
    shape = (max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1))
    large = functional.interpolate(
        small[None, None].float(), size=shape, mode="bilinear", align_corners=False
    )[0, 0]
    left, top = max(x1, 0), max(y1, 0)
    right, bottom = min(x2 + 1, size.width), min(y2 + 1, size.height)
    inside = large[top - y1 : max(bottom, top) - y1, left - x1 : max(right, left) - x1] > THRESHOLD
    return rle_of_window(inside.cpu().numpy(), left=left, top=top, size=size)
