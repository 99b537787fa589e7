"""Mask R-CNN's small masks as run lengths of the whole image, without ever painting the image.

Upstream pastes every mask into a float image of its own: 100 masks of a photograph of 12
megapixels are 4.8 GB. Here a mask costs a part of its own box, see `mask_scan`. The bits are
upstream's on a CPU.
"""

import numpy as np
from torch import Tensor
from torchvision.models.detection.roi_heads import expand_boxes, expand_masks

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask
from vision.domain.mask_window import rle_of_edges
from vision.models.bilinear import Enlargement, Frame, Step
from vision.models.mask_scan import scanned

PADDING = 1
"""Pixels around a small mask, as upstream pads it before enlarging."""
THRESHOLD = 0.5


def pasted(probabilities: Tensor, boxes: Tensor, size: ImageSize) -> tuple[RleMask, ...]:
    """Masks from (n, 1, m, m) probabilities and (n, 4) boxes in pixels of an image of `size`."""
    padded, scale = expand_masks(probabilities, padding=PADDING)
    grown = expand_boxes(boxes, scale).long().tolist()
    # A GPU would be asked n times for next to nothing.
    return tuple(
        _pasted_one(small, (x1, y1, x2, y2), size)
        for small, (x1, y1, x2, y2) in zip(padded.cpu(), grown, strict=True)
    )


def _pasted_one(small: Tensor, box: tuple[int, int, int, int], size: ImageSize) -> RleMask:
    """From (1, m, m), at its place; what lies outside of the image is lost."""
    x1, y1, x2, y2 = box
    left, top = max(x1, 0), max(y1, 0)
    right, bottom = min(x2 + 1, size.width), min(y2 + 1, size.height)
    if right <= left or bottom <= top:
        return rle_of_edges(np.zeros(0, np.int64), size)
    step = Step(
        ImageSize(width=max(x2 - x1 + 1, 1), height=max(y2 - y1 + 1, 1)),
        kept=ImageSize(width=right - left, height=bottom - top),
        left=left - x1,
        top=top - y1,
    )
    frame = Frame(left, top, size.width, size.height)
    return scanned(small, Enlargement((step,)), threshold=THRESHOLD, frame=frame).masks()[0]
