"""Detectors of transformers: a picture in, an answer of queries out, and what is read out of it."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from transformers.image_transforms import get_size_with_aspect_ratio

from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.models.base import DetectOptions, ModelIdentity
from vision.models.same_size_detection import SameSizeDetector
from vision.models.transformers_pixels import prepared

Reading: TypeAlias = Callable[[Any, ImageSize, DetectOptions], list[Detections]]
"""From the network's outputs for pictures of one size. Any: upstream is untyped."""


class TransformersDetector(SameSizeDetector):
    """Any network whose image processor scales the picture, and whose answer is read as rows."""

    def __init__(
        self,
        network: Any,
        processor: Any,
        read: Reading,
        *,
        identity: ModelIdentity,
        labels: tuple[str, ...],
    ) -> None:
        super().__init__(network, identity=identity, labels=labels)
        self._processor, self._read = processor, read

    def _is_blind_to(self, size: ImageSize) -> bool:
        limits = self._processor.size
        if not (limits.shortest_edge and limits.longest_edge):
            return False
        edges = limits.shortest_edge, limits.longest_edge
        return min(get_size_with_aspect_ratio((size.height, size.width), *edges)) < 1

    @torch.inference_mode()
    def _rows(
        self, images: Sequence[RgbImage], *, size: ImageSize, options: DetectOptions
    ) -> list[Detections]:
        inputs = prepared(self._processor, images, device=self._placement.device)
        with self._placement.autocast():
            outputs = self._network(**inputs)
        return self._read(outputs, size, options)
