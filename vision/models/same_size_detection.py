"""Detectors through whose network only pictures of one size go together.

Upstream pads or stacks what it scaled: a smaller picture beside a larger one would see the padding,
and the same picture would give other rows in other company.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.models.base import DetectOptions, Detector, ModelIdentity
from vision.models.device import Placement
from vision.models.passes import Passes
from vision.models.state import memory_bytes


class SameSizeDetector(Detector, ABC):
    """Divides the pictures; the private methods see one size at a time."""

    def __init__(self, network: Any, *, identity: ModelIdentity, labels: tuple[str, ...]) -> None:
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self.labels = labels
        self._placement = Placement(identity.device, identity.precision)
        self._network = network.to(identity.device).eval()
        self._passes = Passes(self)

    def _detect(self, images: Sequence[RgbImage], options: DetectOptions) -> list[Detections]:
        found: dict[int, Detections] = {}
        for size, indices in _by_size(images).items():
            rows = self._of_size([images[index] for index in indices], size, options)
            found |= dict(zip(indices, rows, strict=True))
        return [found[index] for index in range(len(images))]

    def _of_size(
        self, images: Sequence[RgbImage], size: ImageSize, options: DetectOptions
    ) -> list[Detections]:
        if self._is_blind_to(size):
            return [replace(Detections.empty(), scores=np.zeros(0, np.float32)) for _ in images]
        rows = partial(self._rows, size=size, options=options)
        return self._passes.each(images, rows, shape=f"{size.width}x{size.height}")

    @abstractmethod
    def _is_blind_to(self, size: ImageSize) -> bool:
        """Whether upstream can't scale such a picture: nothing is found in it."""

    @abstractmethod
    def _rows(
        self, images: Sequence[RgbImage], *, size: ImageSize, options: DetectOptions
    ) -> list[Detections]:
        """One per picture, in order; all pictures have this size."""


def _by_size(images: Sequence[RgbImage]) -> dict[ImageSize, list[int]]:
    groups: dict[ImageSize, list[int]] = {}
    for index, image in enumerate(images):
        groups.setdefault(ImageSize.of(image), []).append(index)
    return groups
