"""Small logits to the edges of masks by torch, a few masks of the picture's size at a time.

For GPUs, and for what the pass on a CPU doesn't know; see `mask_scan`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vision.models.bilinear import Enlargement, Frame

VALUES_AT_ONCE = {"cpu": 2**24, "cuda": 2**26}
"""Of masks in memory at a time, by kind of device: 64 and 256 MiB of float32."""


class Scanned(NamedTuple):
    """What is known of n masks."""

    facts: NDArray[np.int64]
    """(n, 7): pixels above the high, the low and the mask's limit; left, top, right and bottom of
    the mask, the last pixels included, in the enlarged part; zeros for an empty mask."""
    edges: NDArray[np.int64]
    """Positions in the whole picture, down its columns, where masks begin and end, in turn."""
    begins: NDArray[np.int64]
    """(n + 1,): where each mask's edges begin."""


def scan(
    logits: Tensor, enlargement: Enlargement, frame: Frame, *, threshold: float, offset: float
) -> Scanned:
    """Of (n, h, w) float32 logits: masks are where they are above the threshold."""
    pixels = max(step.size.pixels for step in enlargement.steps)
    at_once = max(1, VALUES_AT_ONCE[logits.device.type] // pixels)
    parts = [
        _scan_part(enlarged(part, enlargement), frame, threshold=threshold, offset=offset)
        for part in torch.split(logits, at_once)
    ]
    return joined(parts)


def joined(parts: Sequence[Scanned]) -> Scanned:
    """All masks, in order."""
    counts = np.concatenate([np.zeros(1, np.int64), *(np.diff(part.begins) for part in parts)])
    return Scanned(
        np.concatenate([np.zeros((0, 7), np.int64), *(part.facts for part in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(part.edges for part in parts)]),
        np.cumsum(counts),
    )


def enlarged(logits: Tensor, enlargement: Enlargement) -> Tensor:
    """(n, height, width) of (n, h, w), as upstream enlarges."""
    values = logits[:, None]
    for step in enlargement.steps:
        size = (step.size.height, step.size.width)
        values = functional.interpolate(values, size, mode="bilinear", align_corners=False)
        values = values[..., step.rows, step.columns]
    return values[:, 0]


def _scan_part(values: Tensor, frame: Frame, *, threshold: float, offset: float) -> Scanned:
    masks = values > threshold
    above = [values > threshold + offset, values > threshold - offset, masks]
    counts = torch.stack([one.flatten(1).sum(1) for one in above], dim=1)
    facts = torch.cat([counts, _boxes(masks)], dim=1).cpu().numpy()
    return Scanned(facts, *_edges(masks, frame))


def _boxes(masks: Tensor) -> Tensor:
    """(n, 4) int64: left, top, right and bottom, the last pixels included; zeros for none."""
    sides = [_ends(masks.any(1)), _ends(masks.any(2))]
    return torch.stack([ends[which] for which in (0, 1) for ends in sides], dim=1)


def _ends(lines: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last true value of each row of (n, k)."""
    is_set = lines.to(torch.uint8)
    last = lines.shape[1] - 1 - is_set.flip(1).argmax(1)
    return is_set.argmax(1), torch.where(lines.any(1), last, 0)


def _edges(masks: Tensor, frame: Frame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """And where each mask's begin. Nothing lies around the enlarged part."""
    columns = functional.pad(masks.transpose(1, 2), (1, 1))
    number, x, y = (columns[..., 1:] != columns[..., :-1]).nonzero(as_tuple=True)
    places = (x + frame.left) * frame.height + (y + frame.top)
    numbers, edges = number.cpu().numpy(), places.cpu().numpy()
    # From the foot of one column to the head of the next: one run.
    is_through = (edges[1:] == edges[:-1]) & (numbers[1:] == numbers[:-1])
    is_end = np.ones(len(edges), np.bool_)
    is_end[1:] &= ~is_through
    is_end[:-1] &= ~is_through
    counts = np.bincount(numbers[is_end], minlength=len(masks))
    return edges[is_end], np.concatenate([[0], np.cumsum(counts)])
