"""V-JEPA 2 with a classifier of actions, by transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import VJEPA2ForVideoClassification, VJEPA2VideoProcessor

from vision.domain.image import RgbImage
from vision.models.base import ClipClassifier, ModelIdentity
from vision.models.config_labels import class_labels
from vision.models.device import Placement
from vision.models.families import Family
from vision.models.pretrained import load_network, load_processor
from vision.models.spec import ModelSpec
from vision.models.state import memory_bytes
from vision.models.torchvision_classification import probabilities
from vision.models.torchvision_pixels import colors_first, middle_of


def load(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> "Vjepa2Classifier":
    """From a folder as `save_pretrained` makes it."""
    network = load_network(VJEPA2ForVideoClassification, folder, spec, identity)
    processor = load_processor(VJEPA2VideoProcessor, folder, spec)
    labels = class_labels(spec, network.config)
    return Vjepa2Classifier(network, processor, identity=identity, labels=labels)


class Vjepa2Classifier(ClipClassifier):
    """Looks at as many frames together as its config says; the scores come to 1."""

    def __init__(
        self, network: Any, processor: Any, *, identity: ModelIdentity, labels: tuple[str, ...]
    ) -> None:
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self.labels = labels
        self.clip_frames = int(network.config.frames_per_clip)
        self._placement = Placement(identity.device, identity.precision)
        self._network, self._processor = network, processor

    @torch.inference_mode()
    def _scores(self, clip: Sequence[RgbImage]) -> NDArray[np.float32]:
        device = self._placement.device
        inputs = self._processor(
            videos=[torch.stack([colors_first(middle_of(image), device) for image in clip])],
            input_data_format="channels_first",
            return_tensors="pt",
            do_sample_frames=False,
            device=device,
        )
        with self._placement.autocast():
            logits = self._network(inputs["pixel_values_videos"]).logits
        (scores,) = probabilities(logits)
        return scores


FAMILY = Family(loaders={ClipClassifier: load})
