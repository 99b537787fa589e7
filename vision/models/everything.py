"""Masks of everything in a picture: of those that clicks on a grid find, the good ones.

The rules, the parameters and the order are those of `SamAutomaticMaskGenerator` in segment-anything
1.0; so are its results, bit for bit, where the network's answers are. Only the way from small
logits to run lengths is another: see `mask_scan`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.utils.amg import (
    batched_mask_to_box,
    build_all_layer_point_grids,
    generate_crop_boxes,
    is_box_near_crop_edge,
    remove_small_regions,
)
from torch import Tensor
from torchvision.ops.boxes import batched_nms

from vision.domain.detections import ANY_OBJECT, Detections
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.errors import InvalidRequest
from vision.models.base import EverythingOptions
from vision.models.bilinear import Enlargement, Frame
from vision.models.mask_scan import Scans, joined_scans, scanned

Points: TypeAlias = NDArray[np.float64]
"""(n, 2) float64: x, y."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Masks of some clicks, in the order of the clicks."""

    logits: Tensor
    """(k, h, w) float32."""
    predicted_iou: Tensor
    """(k,) float32."""


def wanted(low: Tensor, predicted_iou: Tensor, min_iou: float | None) -> Candidates:
    """Of k masks for each of n clicks: logits (n, k, h, w), predicted IoU (n, k)."""
    logits, trust = low.flatten(0, 1), predicted_iou.flatten()
    if min_iou is None:
        return Candidates(logits, trust)
    is_wanted = trust > min_iou
    return Candidates(logits[is_wanted], trust[is_wanted])


class Seen(Protocol):
    """A picture, or a crop of one, that a network has looked at."""

    @property
    def enlargement(self) -> Enlargement:
        """From the network's small logits to the picture's size."""

    def candidates(self, points: Points, *, min_iou: float | None) -> Candidates:
        """Of clicks in the picture's pixels, three each; only those trusted more than `min_iou`."""


Look: TypeAlias = Callable[[RgbImage], Seen | None]
"""None for a sliver, in which the network would see nothing."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of the picture, or the whole."""

    x1: int
    y1: int
    x2: int
    y2: int
    grid: Points
    """Where in it to click, in [0, 1]."""
    is_whole: bool

    @property
    def corners(self) -> list[int]:
        return [self.x1, self.y1, self.x2, self.y2]

    @property
    def area(self) -> int:
        return (self.x2 - self.x1) * (self.y2 - self.y1)

    def of(self, image: RgbImage) -> RgbImage:
        return image[self.y1 : self.y2, self.x1 : self.x2]


def everything_in(
    image: RgbImage,
    options: EverythingOptions,
    *,
    look: Look,
    look_at_crop: Look,
    threshold: float = 0.0,
) -> Detections:
    """Where logits are above the threshold. A box ends with the last pixel of its mask, as
    upstream's does. Raises InvalidRequest when a layer of crops is left without clicks.
    """
    grid = _Grid(ImageSize.of(image), options, threshold)
    crops = list(grid.crops())
    parts = [
        grid.found((look if crop.is_whole else look_at_crop)(crop.of(image)), crop)
        for crop in crops
    ]
    found = grid.joined(parts)
    if len(crops) > 1:
        # Masks of smaller crops go before those of larger ones.
        precise = np.float32(1) / np.array([crop.area for crop in crops], np.float32)
        scores = precise.repeat([len(part.predicted_iou) for part in parts])
        found = found.without_duplicates(scores, options.crop_nms_thresh)
    if options.min_mask_region_area > 0:
        return _tidied(found, options)
    return _detections(found, found.scans.boxes, found.scans.masks())


@dataclass(frozen=True, slots=True)
class _Found:
    """Masks in columns; their boxes are in the whole picture."""

    scans: Scans
    predicted_iou: NDArray[np.float32]

    def only(self, rows: NDArray[np.intp]) -> "_Found":
        return _Found(self.scans.only(rows), self.predicted_iou[rows])

    def without_duplicates(self, scores: NDArray[np.float32], threshold: float) -> "_Found":
        """Of masks whose boxes overlap more, the one with the best score; best first."""
        return self.only(_best(self.scans.boxes, scores, threshold))


@dataclass(frozen=True, slots=True)
class _Grid:
    """Clicks all over a picture of that size."""

    size: ImageSize
    options: EverythingOptions
    threshold: float

    def crops(self) -> Iterator[Crop]:
        """The whole first. A tiny picture is cut only as often as every crop has pixels."""
        _require_points(self.options)
        layers = self._possible_layers()
        grids = build_all_layer_point_grids(
            self.options.points_per_side, layers, self.options.crop_n_points_downscale_factor
        )
        for corners, layer in zip(*self._boxes(layers), strict=True):
            x1, y1, x2, y2 = corners
            yield Crop(x1, y1, x2, y2, grid=grids[layer], is_whole=layer == 0)

    def found(self, seen: Seen | None, crop: Crop) -> _Found:
        """What is kept of a crop's masks, most trusted first."""
        if seen is None:
            return self.joined([])
        points = crop.grid * np.array([[crop.x2 - crop.x1, crop.y2 - crop.y1]])
        at_once = self.options.points_per_batch
        starts = range(0, len(points), at_once)
        found = self.joined(
            [self._good_ones(seen, points[start : start + at_once], crop) for start in starts]
        )
        return found.without_duplicates(found.predicted_iou, self.options.box_nms_thresh)

    def joined(self, parts: Sequence[_Found]) -> _Found:
        """All of them, in order."""
        return _Found(
            joined_scans([part.scans for part in parts], self.size),
            np.concatenate([np.zeros(0, np.float32), *(part.predicted_iou for part in parts)]),
        )

    def _good_ones(self, seen: Seen, points: Points, crop: Crop) -> _Found:
        options = self.options
        min_iou = options.pred_iou_thresh if options.pred_iou_thresh > 0 else None
        candidates = seen.candidates(points, min_iou=min_iou)
        scans = scanned(
            candidates.logits,
            seen.enlargement,
            threshold=self.threshold,
            offset=options.stability_score_offset,
            frame=Frame(crop.x1, crop.y1, self.size.width, self.size.height),
        )
        is_good = ~self._ends_with(crop, scans.boxes)
        if options.stability_score_thresh > 0:
            is_good &= scans.stability >= options.stability_score_thresh
        found = _Found(scans.moved(crop.x1, crop.y1), candidates.predicted_iou.cpu().numpy())
        return found.only(np.flatnonzero(is_good))

    def _ends_with(self, crop: Crop, boxes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the crop's edge cuts a mask off: then another crop has it whole."""
        whole = [0, 0, self.size.width, self.size.height]
        is_cut: Tensor = is_box_near_crop_edge(torch.from_numpy(boxes), crop.corners, whole)
        return is_cut.numpy()

    def _possible_layers(self) -> int:
        for layers in range(self.options.crop_n_layers, 0, -1):
            boxes, _ = self._boxes(layers)
            if all(x1 < x2 and y1 < y2 for x1, y1, x2, y2 in boxes):
                return layers
        return 0

    def _boxes(self, layers: int) -> tuple[list[list[int]], list[int]]:
        """Of all crops, and in which layer each is."""
        size = (self.size.height, self.size.width)
        boxes, layer_of = generate_crop_boxes(size, layers, self.options.crop_overlap_ratio)
        return boxes, layer_of


def _require_points(options: EverythingOptions) -> None:
    fewest = options.points_per_side / options.crop_n_points_downscale_factor**options.crop_n_layers
    if fewest < 1:
        raise InvalidRequest(
            f"points_per_side {options.points_per_side} leaves no point in crop layer "
            f"{options.crop_n_layers} with crop_n_points_downscale_factor "
            f"{options.crop_n_points_downscale_factor}"
        )


def _best(
    boxes: NDArray[np.int64], scores: NDArray[np.float32], threshold: float
) -> NDArray[np.intp]:
    """Rows of those that no better one's box overlaps by more than the threshold, best first."""
    places, values = torch.from_numpy(boxes).float(), torch.from_numpy(scores)
    kept: Tensor = batched_nms(places, values, torch.zeros(len(boxes)), iou_threshold=threshold)
    return kept.numpy()


def _tidied(found: _Found, options: EverythingOptions) -> Detections:
    """Without small holes and islands, and without the duplicates that come of it."""
    masks, boxes = list(found.scans.masks()), found.scans.boxes.copy()
    is_same = np.ones(len(masks), np.float32)
    for row, mask in enumerate(masks):
        tidy = _without_small_regions(mask.bitmap(), options.min_mask_region_area)
        if tidy is not None:
            is_same[row] = 0
            masks[row] = RleMask.from_bitmap(tidy)
            boxes[row] = batched_mask_to_box(torch.from_numpy(tidy)[None])[0].numpy()
    threshold = max(options.box_nms_thresh, options.crop_nms_thresh)
    kept = _best(boxes, is_same, threshold)
    return _detections(found.only(kept), boxes[kept], tuple(masks[row] for row in kept))


def _without_small_regions(bitmap: NDArray[np.bool_], min_area: int) -> NDArray[np.bool_] | None:
    """None if it has none."""
    filled, has_holes = remove_small_regions(bitmap, min_area, mode="holes")
    tidy, has_islands = remove_small_regions(filled, min_area, mode="islands")
    return tidy if has_holes or has_islands else None


def _detections(found: _Found, boxes: NDArray[np.int64], masks: tuple[RleMask, ...]) -> Detections:
    return Detections(
        boxes=boxes.astype(np.float32),
        labels=(ANY_OBJECT,) * len(masks),
        class_ids=np.zeros(len(masks), np.int64),
        masks=masks,
        predicted_iou=found.predicted_iou,
        stability_scores=found.scans.stability,
    )
