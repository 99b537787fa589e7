"""torchvision's classifiers, of pictures and of stretches of video."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vision.domain.image import RgbImage
from vision.models.base import Classifier, ClipClassifier, ModelIdentity
from vision.models.device import Placement
from vision.models.passes import Passes
from vision.models.state import memory_bytes
from vision.models.torchvision_pixels import colors_first, middle_of


class TorchvisionClassifier(Classifier):
    """Any network that scores a picture's classes; the scores come to 1."""

    def __init__(
        self,
        network: nn.Module,
        transforms: Any,
        *,
        identity: ModelIdentity,
        labels: tuple[str, ...],
    ) -> None:
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self.labels = labels
        self._placement = Placement(identity.device, identity.precision)
        self._network = network.to(identity.device).eval()
        self._transforms = transforms
        self._passes = Passes(self)

    def _scores(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        side = self._transforms.crop_size[0]  # every picture comes out of the transforms so large
        rows = self._passes.each(images, self._rows, shape=f"{side}x{side}")
        return np.array(rows, np.float32).reshape(len(images), len(self.labels))

    @torch.inference_mode()
    def _rows(self, images: Sequence[RgbImage]) -> list[NDArray[np.float32]]:
        pixels = torch.stack([self._transforms(self._pixels(image)) for image in images])
        with self._placement.autocast():
            logits = self._network(pixels)
        return probabilities(logits)

    def _pixels(self, image: RgbImage) -> Tensor:
        return colors_first(middle_of(image), self._placement.device)


class TorchvisionClipClassifier(ClipClassifier):
    """Any network that scores the classes of some frames together; the scores come to 1."""

    def __init__(
        self,
        network: nn.Module,
        transforms: Any,
        *,
        clip_frames: int,
        identity: ModelIdentity,
        labels: tuple[str, ...],
    ) -> None:
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self.labels = labels
        self.clip_frames = clip_frames
        self._placement = Placement(identity.device, identity.precision)
        self._network = network.to(identity.device).eval()
        self._transforms = transforms

    @torch.inference_mode()
    def _scores(self, clip: Sequence[RgbImage]) -> NDArray[np.float32]:
        frames = torch.stack(
            [colors_first(middle_of(image), self._placement.device) for image in clip]
        )
        with self._placement.autocast():
            logits = self._network(self._transforms(frames)[None])
        (scores,) = probabilities(logits)
        return scores


def probabilities(logits: Tensor) -> list[NDArray[np.float32]]:
    """From (n, classes): n times (classes,) float32, each coming to 1."""
    return list(logits.float().softmax(-1).cpu().numpy())
