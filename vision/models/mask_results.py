"""What promptable networks say as our values."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask
from vision.models.base import PromptedMasks
from vision.models.bilinear import Enlargement
from vision.models.mask_scan import scanned


def prompted_masks(
    logits: Tensor, predicted_iou: Tensor, enlargement: Enlargement, threshold: float
) -> PromptedMasks:
    """From (n, k, h, w) and (n, k): of each object's k masks that which the network trusts most."""
    best = predicted_iou.argmax(dim=1)
    rows = torch.arange(len(best), device=best.device)
    scans = scanned(logits[rows, best], enlargement, threshold=threshold)
    return PromptedMasks(
        masks=scans.masks(),
        boxes=scans.boxes.astype(np.float32),
        predicted_iou=predicted_iou[rows, best].float().cpu().numpy(),
    )


def joined(parts: Sequence[PromptedMasks]) -> PromptedMasks:
    """All of them, in order."""
    return PromptedMasks(
        masks=tuple(mask for part in parts for mask in part.masks),
        boxes=np.concatenate([np.zeros((0, 4), np.float32), *(part.boxes for part in parts)]),
        predicted_iou=np.concatenate(
            [np.zeros(0, np.float32), *(part.predicted_iou for part in parts)]
        ),
    )


def no_masks(objects: int, size: ImageSize) -> PromptedMasks:
    """An empty mask for each object, with no trust in it."""
    empty = RleMask.from_bitmap(np.zeros((size.height, size.width), np.bool_))
    return PromptedMasks(
        masks=(empty,) * objects,
        boxes=np.zeros((objects, 4), np.float32),
        predicted_iou=np.zeros(objects, np.float32),
    )
