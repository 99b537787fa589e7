"""torchvision's semantic segmentation: one region for each class that is somewhere in the picture.

The network answers in its own, scaled size. Its probabilities, not its decisions, are enlarged to
the picture's size, bilinearly; each pixel goes to the likeliest class there. Of a picture that
isn't scaled that is upstream's own `argmax`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.models.base import DetectOptions, ModelIdentity
from vision.models.regions import detections_of
from vision.models.same_size_detection import SameSizeDetector
from vision.models.segment_answers import semantic_regions
from vision.models.torchvision_pixels import colors_first, is_too_long


class TorchvisionSemanticSegmenter(SameSizeDetector):
    """Any segmentation network of torchvision's making."""

    def __init__(
        self,
        network: nn.Module,
        transforms: Any,
        *,
        identity: ModelIdentity,
        labels: tuple[str, ...],
    ) -> None:
        super().__init__(network, identity=identity, labels=labels)
        self._transforms = transforms

    def _is_blind_to(self, size: ImageSize) -> bool:
        return is_too_long(size)

    @torch.inference_mode()
    def _rows(
        self, images: Sequence[RgbImage], *, size: ImageSize, options: DetectOptions
    ) -> list[Detections]:
        together = torch.stack([self._pixels(image) for image in images])
        with self._placement.autocast():
            logits = self._network(together)["out"]
        return [
            detections_of(semantic_regions(row, size), size, labels=self.labels, options=options)
            for row in logits.float().softmax(1)
        ]

    def _pixels(self, image: RgbImage) -> Tensor:
        pixels: Tensor = self._transforms(colors_first(image, self._placement.device))
        return pixels
