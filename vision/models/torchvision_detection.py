"""torchvision's detectors: boxes, and masks or keypoints where the network has them.

What comes back is what upstream gives when it is built with `min_score` as its score threshold
and `max_detections` as its detections per image; when only some labels are wanted, the others
are dropped before that count and before any mask is made.
"""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.models.base import DetectOptions, Detector, ModelIdentity
from vision.models.batching import by_padded_shape
from vision.models.device import Placement
from vision.models.mask_pasting import pasted
from vision.models.passes import Passes
from vision.models.row_limit import RowLimit
from vision.models.state import memory_bytes


class TorchvisionDetector(Detector):
    """Any detection network of torchvision's making."""

    def __init__(
        self, network: nn.Module, *, identity: ModelIdentity, labels: tuple[str, ...]
    ) -> None:
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self.labels = labels
        self._placement = Placement(identity.device, identity.precision)
        # Any: upstream's interface is untyped.
        self._network: Any = network.to(identity.device).eval()
        if self._placement.is_reduced:  # tensor cores want it; float32 stays as upstream's
            self._network.to(memory_format=torch.channels_last)
        self._limit = RowLimit(network, labels)
        self._passes = Passes(self)
        # The limits are attributes of the network: two calls must not mix them.
        self._lock = threading.Lock()

    def _detect(self, images: Sequence[RgbImage], options: DetectOptions) -> list[Detections]:
        sizes = [ImageSize.of(image) for image in images]
        # Slivers show nothing, and upstream fails on them.
        found = dict.fromkeys(range(len(images)), Detections.empty())
        with self._lock, torch.inference_mode(), self._placement.autocast():
            self._limit.obey(options)
            for shape, indices in by_padded_shape(sizes, self._network.transform).items():
                some = [images[index] for index in indices]
                found |= dict(
                    zip(indices, self._passes.each(some, self._rows, shape=shape), strict=True)
                )
        return [found[index] for index in range(len(images))]

    def _rows(self, images: Sequence[RgbImage]) -> list[Detections]:
        """Of images of one padded shape."""
        rows = self._forward([self._pixels(image) for image in images])
        return [
            self._detections(row, ImageSize.of(image))
            for row, image in zip(rows, images, strict=True)
        ]

    def _pixels(self, image: RgbImage) -> Tensor:
        """(3, height, width) float32 in [0, 1], as upstream's `transforms()` makes them."""
        return (
            torch.tensor(image, device=self._placement.device).permute(2, 0, 1).contiguous() / 255
        )

    def _forward(self, pixels: list[Tensor]) -> list[dict[str, Tensor]]:
        """Upstream's answer, except that masks are still small."""
        network = self._network
        if not hasattr(network, "roi_heads"):
            return [self._limited(row) for row in network(pixels)]
        inputs, _ = network.transform(pixels)
        features = network.backbone(inputs.tensors)
        proposals, _ = network.rpn(inputs, features)
        rows, _ = network.roi_heads(features, proposals, inputs.image_sizes)
        masks = [row.pop("masks", None) for row in rows]
        originals = [tuple(image.shape[-2:]) for image in pixels]
        rows = network.transform.postprocess(rows, inputs.image_sizes, originals)
        return [
            row if small is None else row | {"masks": small}
            for row, small in zip(rows, masks, strict=True)
        ]

    def _limited(self, row: dict[str, Tensor]) -> dict[str, Tensor]:
        kept = self._limit.rows(row["scores"], row["labels"])
        return {name: column[kept] for name, column in row.items()}

    def _detections(self, row: dict[str, Tensor], size: ImageSize) -> Detections:
        class_ids = row["labels"].cpu().numpy().astype(np.int64)
        return Detections(
            boxes=_inside(_array(row["boxes"]), size),
            labels=tuple(self.labels[class_id] for class_id in class_ids),
            class_ids=class_ids,
            scores=_array(row["scores"]),
            masks=_masks(row, size),
            keypoints=_keypoints(row),
        )


def _array(column: Tensor) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = column.float().cpu().numpy()
    return numbers


def _inside(boxes: NDArray[np.float32], size: ImageSize) -> NDArray[np.float32]:
    """Upstream clips before it scales back: rounding can leave a box a hair too large."""
    limits = np.array([size.width, size.height] * 2, np.float32)
    return np.clip(boxes, 0, limits)


def _masks(row: dict[str, Tensor], size: ImageSize) -> tuple[RleMask, ...] | None:
    return pasted(row["masks"], row["boxes"], size) if "masks" in row else None


def _keypoints(row: dict[str, Tensor]) -> NDArray[np.float32] | None:
    """Upstream's third number is always 1; the keypoint's score says more."""
    if "keypoints" not in row:
        return None
    scored = torch.cat([row["keypoints"][..., :2], row["keypoints_scores"][..., None]], dim=-1)
    return _array(scored)
