"""Mask R-CNN's small masks as run lengths of the whole image, without ever painting the image.

Upstream pastes every mask into a float image of its own: 100 masks of a photograph of 12
megapixels are 4.8 GB. Here a mask costs its own box. The bits are upstream's.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection.roi_heads import expand_boxes, expand_masks

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask

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


def rle_of_window(window: NDArray[np.bool_], *, left: int, top: int, size: ImageSize) -> RleMask:
    """The mask that is `window` (height, width) at this place of an image of `size`, else empty."""
    starts, ends = _runs(window)
    height = window.shape[0]
    columns, rows = np.divmod(np.concatenate([starts, ends]), height + 1)
    places = (columns + left) * size.height + rows + top
    begins, stops = places[: len(starts)], places[len(starts) :]
    # A run to the foot of the image goes on at the head of the next column: one run.
    separate = begins[1:] != stops[:-1]
    begins = begins[np.concatenate([[True], separate])] if len(begins) else begins
    stops = stops[np.concatenate([separate, [True]])] if len(stops) else stops
    edges = np.concatenate([[0], np.stack([begins, stops], 1).reshape(-1), [size.pixels]])
    return _from_counts(np.diff(edges), size)


def _runs(window: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where runs start and end, column by column; each column is one longer than the window."""
    height, width = window.shape
    columns = np.zeros((width, height + 1), np.int8)
    columns[:, :height] = window.T
    steps = np.diff(columns.reshape(-1), prepend=np.int8(0))
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)


def _from_counts(counts: NDArray[np.intp], size: ImageSize) -> RleMask:
    if counts[-1] == 0:  # the mask reaches the last pixel: COCO writes no empty run there
        counts = counts[:-1]
    plain = {"size": [size.height, size.width], "counts": counts.tolist()}
    rle = coco.frPyObjects(plain, size.height, size.width)
    return RleMask(size, rle["counts"].decode("ascii"))
