"""What SAM 3 video asks of a compiled extension from the hub: removing masks of the same thing,
and measuring connected patches. Here with numpy and OpenCV, so that nothing is ever fetched.

Without it upstream leaves both out, and says so in one line of its log only.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.models.sam3_video import modeling_sam3_video

NEIGHBORS = 8
"""Patches touch at corners too, as in Meta's own code."""


class MaskTools:
    """The two functions of `kernels-community/cv-utils` that upstream calls, with their results."""

    def generic_nms(
        self, ious: Tensor, scores: Tensor, iou_threshold: float, *, use_iou_matrix: bool = True
    ) -> Tensor:
        """Which of n masks stay, best first, by their (n, n) ious: (k,) int64.

        One leaves if it shares more than the threshold with a better one that stays.
        """
        if not use_iou_matrix:
            raise ValueError("boxes aren't compared here")
        order = torch.argsort(scores, descending=True, stable=True).cpu().numpy()
        kept = _best_first(order, ious.float().cpu().numpy() > iou_threshold)
        return torch.tensor(kept, dtype=torch.int64, device=ious.device)

    def cc_2d(self, masks: Tensor, *, get_counts: bool = True) -> tuple[Tensor, Tensor]:
        """For (n, 1, height, width) uint8 each pixel's patch and how many pixels that has.

        Both int32 of that shape; 0 outside of the masks.
        """
        if not get_counts:
            raise ValueError("patches are always counted here")
        labels, counts = np.zeros((2, *masks.shape), np.int32)
        for place, mask in enumerate(masks.squeeze(1).cpu().numpy()):
            labels[place, 0], counts[place, 0] = _patches(mask)
        return torch.from_numpy(labels).to(masks.device), torch.from_numpy(counts).to(masks.device)


def install() -> None:
    """Make upstream use them, unless the compiled ones are in memory already."""
    if not modeling_sam3_video.cv_utils_kernel:
        vars(modeling_sam3_video)["cv_utils_kernel"] = MaskTools()


def _best_first(order: NDArray[np.int64], clashes: NDArray[np.bool_]) -> list[int]:
    kept: list[int] = []
    is_open = np.ones(len(order), np.bool_)
    for index in order:
        if is_open[index]:
            kept.append(int(index))
            is_open &= ~clashes[index]
    return kept


def _patches(mask: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=NEIGHBORS)
    areas = np.asarray(stats[:, cv2.CC_STAT_AREA], np.int32)
    areas[0] = 0
    return np.asarray(labels, np.int32), areas[labels]
