"""How often a promptable model's real image encoder runs, and over how many images at once."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


class CountedEncoder:
    """Counts from when it is made."""

    def __init__(self, model: Any) -> None:
        """Any: the network is the model's own business."""
        network = model._network
        encoder: nn.Module = getattr(network, "image_encoder", None) or network.vision_encoder
        self.passes: list[int] = []
        """Images in each."""
        encoder.register_forward_hook(self._count, with_kwargs=True)

    @property
    def images(self) -> int:
        return sum(self.passes)

    def _count(
        self, _encoder: nn.Module, inputs: tuple[Tensor, ...], named: Mapping[str, Any], _: object
    ) -> None:
        pixels = inputs[0] if inputs else named["pixel_values"]
        self.passes.append(len(pixels))
