"""Regions of a picture as detections: each mask with its tight box.

Networks answer in small; upstream enlarges the masks of all queries or classes together to the
picture's size, which for a photograph of 12 megapixels takes gigabytes. Here one plane of the
picture's size is enlarged at a time. The bits are upstream's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vision.domain.detections import Detections
from vision.domain.image import ImageSize
from vision.domain.mask import RleMask
from vision.domain.mask_window import rle_of_window
from vision.models.base import DetectOptions
from vision.models.kept_rows import kept_rows


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """What was found, before anything is left out or written as run lengths."""

    scores: NDArray[np.float32]
    """(n,) float32."""
    class_ids: NDArray[np.int64]
    """(n,) int64."""
    bitmap: Callable[[int], Tensor]
    """(height, width) bool of a row, on the network's device."""


def detections_of(
    regions: Regions, size: ImageSize, *, labels: Sequence[str], options: DetectOptions
) -> Detections:
    """Those that are wanted, highest score first; boxes end after the last pixel of their mask."""
    kept = kept_rows(regions.scores, regions.class_ids, labels=labels, options=options)
    placed = [_placed(regions.bitmap(int(row)), size) for row in kept]
    return Detections(
        boxes=np.array([box for box, _ in placed], np.float32).reshape(-1, 4),
        labels=tuple(labels[class_id] for class_id in regions.class_ids[kept]),
        class_ids=regions.class_ids[kept],
        scores=regions.scores[kept],
        masks=tuple(mask for _, mask in placed),
    )


def enlarged(plane: Tensor, size: ImageSize, *, mode: str) -> Tensor:
    """(h, w) to (height, width), as `torch.nn.functional.interpolate` does by that mode."""
    corners = False if mode == "bilinear" else None
    large = functional.interpolate(
        plane[None, None], size=(size.height, size.width), mode=mode, align_corners=corners
    )
    return large[0, 0]


class Contest:
    """Planes of the picture's size, one after another: each pixel goes to its greatest."""

    def __init__(self, size: ImageSize, device: torch.device) -> None:
        shape = (size.height, size.width)
        self.best = torch.full(shape, -torch.inf, device=device)
        """(height, width): each pixel's greatest value."""
        self.owner = torch.full(shape, -1, dtype=torch.int16, device=device)
        """(height, width): the number of the plane that has it; of equals, the first one's."""

    def enter(self, plane: Tensor, number: int) -> None:
        """(height, width), and what to call it."""
        wins = plane > self.best
        self.best = torch.where(wins, plane, self.best)
        self.owner[wins] = number


def _placed(bitmap: Tensor, size: ImageSize) -> tuple[tuple[int, int, int, int], RleMask]:
    columns = torch.nonzero(bitmap.any(0))[:, 0]
    rows = torch.nonzero(bitmap.any(1))[:, 0]
    left, right = int(columns[0]), int(columns[-1]) + 1
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    window = bitmap[top:bottom, left:right].cpu().numpy()
    return (left, top, right, bottom), rle_of_window(window, left=left, top=top, size=size)
