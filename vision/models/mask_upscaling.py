"""A network's small mask scores as masks of the frame's size, in bounded memory."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask
from vision.models.bilinear import Enlargement, Step
from vision.models.mask_scan import scanned

PIXELS_AT_ONCE = 2**24
"""As float32 64 MiB: eight masks of a 1080p frame."""


def upscaled_masks(scores: Tensor, size: ImageSize) -> tuple[RleMask, ...]:
    """From (n, height, width): where they are above 0 after bilinear scaling, as upstream does."""
    return scanned(scores, Enlargement((Step.whole(size),))).masks()


def upscaled(scores: Tensor, size: ImageSize) -> Iterator[Tensor]:
    """The (k, height, width) bool masks of the next k; together those of all n, in order."""
    at_once = max(1, PIXELS_AT_ONCE // (size.width * size.height))
    for start in range(0, len(scores), at_once):
        part = scores[start : start + at_once, None]
        full = functional.interpolate(
            part.float(), (size.height, size.width), mode="bilinear", align_corners=False
        )
        yield full[:, 0] > 0


def run_lengths(bitmaps: Tensor) -> tuple[RleMask, ...]:
    """From (n, height, width) bool."""
    return RleMask.from_bitmaps(_on_cpu(bitmaps))


def _on_cpu(bitmaps: Tensor) -> NDArray[np.bool_]:
    # COCO's run lengths go down the columns: turned by torch, numpy need not turn them again.
    columns: NDArray[np.bool_] = bitmaps.transpose(1, 2).contiguous().cpu().numpy()
    return columns.transpose(0, 2, 1)


def presence_of(logits: Tensor) -> NDArray[np.float32]:
    """(n,) 0 to 1, from any shape of n numbers."""
    found: NDArray[np.float32] = torch.sigmoid(logits.float()).flatten().cpu().numpy()
    return found
