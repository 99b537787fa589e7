"""Losses of SAM's four masks per prompt: one single answer and three alternatives."""

import torch
from torch import Tensor
from torch.nn import functional

EDGE_WEIGHT = 3.0
"""Extra weight of cells at the mask's border; everything else is easy."""
ALTERNATIVES_SHARE = 0.1
"""All three alternatives learn a little, the best of them fully: none may die."""
IOU_WEIGHT = 2.0


def mask_losses(
    logits: Tensor, predicted_iou: Tensor, coverage: Tensor, *, box_count: int
) -> dict[str, Tensor]:
    """Losses (names begin with `loss_`) and the IoUs reached, for the log.

    `logits` (p, 4, h, w) with the single answer first, `predicted_iou` (p, 4), `coverage`
    (p, h, w) in 0..1. The first `box_count` prompts are boxes.
    """
    per_mask = _border_entropy(logits, coverage) + _dice(logits, coverage)
    single, alternatives = per_mask[:, 0], per_mask[:, 1:]
    reached = reached_iou(logits, coverage)
    return {
        "loss_single": single.mean(),
        "loss_best": alternatives.amin(1).mean(),
        "loss_alternatives": ALTERNATIVES_SHARE * alternatives.mean(),
        "loss_iou": IOU_WEIGHT * functional.mse_loss(predicted_iou, reached),
        "box": reached[:box_count, 0].mean(),
        "click": reached[box_count:, 1:].amax(1).mean(),
    }


def _border_entropy(logits: Tensor, coverage: Tensor) -> Tensor:
    """(p, 4) cross-entropy, weighted towards the border."""
    grown = functional.max_pool2d(coverage, 3, 1, 1)
    shrunk = -functional.max_pool2d(-coverage, 3, 1, 1)
    weight = (1 + EDGE_WEIGHT * (grown - shrunk))[:, None]
    target = coverage[:, None].expand_as(logits)
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (entropy * weight).mean((2, 3))


def _dice(logits: Tensor, coverage: Tensor) -> Tensor:
    """(p, 4) one minus the soft Dice score."""
    chances, target = logits.sigmoid(), coverage[:, None]
    overlap = (chances * target).sum((2, 3))
    return 1 - (2 * overlap + 1) / (chances.sum((2, 3)) + target.sum((2, 3)) + 1)


@torch.no_grad()
def reached_iou(logits: Tensor, coverage: Tensor) -> Tensor:
    """(p, 4) IoU of the masks at the decoder's own resolution."""
    answer, truth = logits > 0, coverage[:, None] > 0.5
    overlap = (answer & truth).sum((2, 3))
    return overlap / (answer | truth).sum((2, 3)).clamp(min=1)
