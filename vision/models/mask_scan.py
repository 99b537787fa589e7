"""From a network's small logits straight to masks: run lengths, box, stability. One function.

scans = scanned(logits, enlargement)          # (n, h, w)
masks = scans.masks()                         # n run lengths of the picture's size

The result is that of enlarging the logits by `torch.nn.functional.interpolate` and of looking at
the large masks, bit for bit. But on a CPU nothing of the picture's size is ever made, and on a GPU
a few masks at a time. Why they are the same, and for what they aren't: decision 0014.
"""

import importlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask
from vision.domain.mask_window import rle_of_edges
from vision.models import mask_scan_torch
from vision.models.bilinear import Enlargement, Frame, Step
from vision.models.mask_scan_torch import Scanned, joined

SMALL_SIDES = 128
"""Width plus height up to which torch takes another kernel, which rounds otherwise (found by
trying, torch 2.15). Such pictures cost little by whole masks."""
MASKS_PER_THREAD = 8
"""With fewer another thread costs more than it spares."""
PROBE_SIZE = ImageSize(width=90, height=70)
PROBES = 100


@dataclass(frozen=True, slots=True, eq=False)
class Scans:
    """What is known of n masks, in columns."""

    size: ImageSize
    """Of the picture."""
    boxes: NDArray[np.int64]
    """(n, 4) int64: left, top, right and bottom, the last pixels included, in the enlarged part;
    zeros for an empty mask."""
    areas: NDArray[np.int64]
    """(n,) int64, in pixels."""
    stability: NDArray[np.float32]
    """(n,) float32: pixels above the threshold plus the offset as a part of those above the
    threshold minus the offset; not a number where there are none of either."""
    edges: tuple[NDArray[np.int64], ...]
    """n times int64: where the mask begins and ends, in turn, down the picture's columns."""

    def masks(self) -> tuple[RleMask, ...]:
        """The n masks, of the picture's size."""
        return tuple(rle_of_edges(edges, self.size) for edges in self.edges)

    def moved(self, right: int, down: int) -> "Scans":
        """With boxes that many pixels on."""
        return replace(self, boxes=self.boxes + np.array([right, down, right, down]))

    def only(self, rows: Sequence[int] | NDArray[np.intp]) -> "Scans":
        """Of these masks, in this order."""
        kept = np.asarray(rows, np.intp)
        return Scans(
            self.size,
            self.boxes[kept],
            self.areas[kept],
            self.stability[kept],
            tuple(self.edges[row] for row in kept),
        )


def scanned(
    logits: Tensor,
    enlargement: Enlargement,
    *,
    threshold: float = 0.0,
    offset: float = 0.0,
    frame: Frame | None = None,
) -> Scans:
    """Of (n, h, w) logits: masks are where the enlarged ones are above the threshold.

    `frame` None: the enlarged part is the whole picture. A mask outside of it is empty.
    """
    size = enlargement.size
    frame = frame or Frame(left=0, top=0, width=size.width, height=size.height)
    values = logits.detach().float()
    if values.device.type == "cpu" and _is_known(enlargement):
        found = _scan_on_cpu(values, enlargement, frame, threshold=threshold, offset=offset)
    else:
        found = mask_scan_torch.scan(values, enlargement, frame, threshold=threshold, offset=offset)
    return _scans(found, ImageSize(width=frame.width, height=frame.height))


def joined_scans(parts: Sequence[Scans], size: ImageSize) -> Scans:
    """All masks of one picture, in order."""
    return Scans(
        size,
        np.concatenate([np.zeros((0, 4), np.int64), *(part.boxes for part in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(part.areas for part in parts)]),
        np.concatenate([np.zeros(0, np.float32), *(part.stability for part in parts)]),
        tuple(edges for part in parts for edges in part.edges),
    )


def _scans(found: Scanned, size: ImageSize) -> Scans:
    # As torch divides whole numbers: each rounded to float32 first.
    high, low = (found.facts[:, column].astype(np.float32) for column in (0, 1))
    with np.errstate(invalid="ignore"):
        stability = high / low
    edges = np.split(found.edges, found.begins[1:-1]) if len(found.facts) else []
    return Scans(size, found.facts[:, 3:], found.facts[:, 2], stability, tuple(edges))


def _is_known(enlargement: Enlargement) -> bool:
    """Whether the pass on a CPU rounds as this torch does."""
    sides = [step.size.width + step.size.height for step in enlargement.steps]
    return min(sides) > SMALL_SIDES and is_torch_known()


def _scan_on_cpu(
    logits: Tensor, enlargement: Enlargement, frame: Frame, *, threshold: float, offset: float
) -> Scanned:
    kernel = _kernel()
    values = np.ascontiguousarray(logits.numpy())
    plan = kernel.plan_of(enlargement, ImageSize(width=values.shape[2], height=values.shape[1]))
    limits = kernel.limits_of(threshold, offset)
    threads = min(torch.get_num_threads(), len(values) // MASKS_PER_THREAD)
    if threads < 2:
        return Scanned(*kernel.scan(values, plan, limits, frame))
    # Threads of its own: numba's would meet those of torch, and survive no fork.
    with ThreadPoolExecutor(threads) as pool:
        found = list(
            pool.map(
                lambda part: Scanned(*kernel.scan(part, plan, limits, frame)),
                np.array_split(values, threads),
            )
        )
    return joined(found)


@cache
def _kernel() -> Any:
    """Imported when the first mask is wanted: numba takes most of a second."""
    return importlib.import_module("vision.models.mask_scan_cpu")


@cache
def is_torch_known() -> bool:
    """Whether torch rounds here as the pass on a CPU does; tried once.

    It does on processors with fused multiply and add, whatever the number of threads; a later
    torch may not, and then every mask takes the way through `mask_scan_torch`.
    """
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 16, 16, generator=random)
    probe = Enlargement((Step.whole(PROBE_SIZE),))
    large = mask_scan_torch.enlarged(logits, probe).flatten()
    frame = Frame(0, 0, PROBE_SIZE.width, PROBE_SIZE.height)
    # A value that is the threshold itself isn't above it; rounded up, it would be.
    return all(
        _scan_on_cpu(logits, probe, frame, threshold=float(value), offset=0.0).facts[0, 2]
        == int((large > value).sum())
        for value in large[:: len(large) // PROBES]
    )
