"""Embedders of transformers: what the network says of a picture as a whole, as one vector."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vision.domain.image import RgbImage
from vision.errors import WeightsMismatch
from vision.models.base import Embedder, ModelIdentity
from vision.models.device import Placement
from vision.models.passes import Passes
from vision.models.state import memory_bytes
from vision.models.torchvision_pixels import middle_of
from vision.models.transformers_pixels import pixel_values

CPU_BATCH = 8
"""Vision transformers gain from eight pictures in a pass, on a CPU too (docs/benchmarks.md)."""
PIXELS_AT_ONCE = 2**24
"""Of whole pictures that are scaled together: some processors copy them to float32 before."""


class TransformersEmbedder(Embedder):
    """`pooler_output` of any network with that, of pictures as its own processor prepares them.

    For the DINOs that is the CLS token after the last layer norm: all that they say of the picture
    as a whole.
    """

    def __init__(
        self, network: Any, processor: Any, *, dimensions: int, identity: ModelIdentity
    ) -> None:
        """Any: upstream is untyped. Raises WeightsMismatch when the processor gives pictures of
        several sizes, which no pass could take together.
        """
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self.dimensions = dimensions
        self._placement = Placement(identity.device, identity.precision)
        self._network, self._processor = network, processor
        self._shape = self._one_shape()
        self._passes = Passes(self, on_cpu=CPU_BATCH)

    def _embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        return np.stack(self._passes.each(images, self._vectors, shape=self._shape))

    @torch.inference_mode()
    def _vectors(self, images: list[RgbImage]) -> list[NDArray[np.float32]]:
        pixels = torch.cat([self._pixels(some) for some in _few_pixels_each(images)])
        with self._placement.autocast():
            vectors = self._network(pixels).pooler_output
        return list(vectors.float().cpu().numpy())

    def _pixels(self, images: Sequence[RgbImage]) -> Tensor:
        """(n, 3, height, width), prepared on the network's device."""
        shown = images
        if self._processor.do_center_crop:
            # Upstream would scale a sliver whole before it cuts out the middle: 1 x 10,000 pixels
            # to 2 GB.
            shown = [middle_of(image) for image in images]
        return pixel_values(self._processor, shown, device=self._placement.device)

    def _one_shape(self) -> str:
        shapes = {
            tuple(self._pixels([np.zeros((*size, 3), np.uint8)]).shape[2:])
            for size in ((16, 48), (48, 16), (400, 400))
        }
        if len(shapes) > 1:
            raise WeightsMismatch(
                f"{self.identity.name}: its image processor gives pictures of several sizes"
            )
        height, width = shapes.pop()
        return f"{width}x{height}"


def _few_pixels_each(images: Sequence[RgbImage]) -> Iterator[list[RgbImage]]:
    """In order; a picture that is too large comes alone."""
    group: list[RgbImage] = []
    pixels = 0
    for image in images:
        size = image.shape[0] * image.shape[1]
        if group and pixels + size > PIXELS_AT_ONCE:
            yield group
            group, pixels = [], 0
        group.append(image)
        pixels += size
    if group:
        yield group
