"""torchvision's semantic segmentation, from one file of weights each."""

from pathlib import Path
from typing import Any

from torch import nn
from torchvision.models import segmentation

from vision.models.base import Detector, ModelIdentity
from vision.models.families import Family
from vision.models.spec import ModelSpec
from vision.models.state import load_state, read_state, what_should_fit
from vision.models.torchvision_pixels import published_transforms
from vision.models.torchvision_semantic import TorchvisionSemanticSegmenter

SECOND_HEAD = "aux_classifier"
"""Helps in training alone; published files have it, a user's may."""


def load(spec: ModelSpec, file: Path, identity: ModelIdentity) -> TorchvisionSemanticSegmenter:
    """The network that the entry names, with as many classes as labels."""
    state = read_state(file)
    has_second = any(name.startswith(f"{SECOND_HEAD}.") for name in state)
    network = build(spec.builder, num_classes=len(spec.labels), has_second_head=has_second)
    load_state(network, state, what=what_should_fit(spec))
    if has_second:
        setattr(network, SECOND_HEAD, None)  # its answer is never looked at
    return TorchvisionSemanticSegmenter(
        network, published_transforms(spec.builder), identity=identity, labels=spec.labels
    )


def build(builder: str, *, num_classes: int, has_second_head: bool) -> nn.Module:
    """With fresh random weights."""
    # Not every builder knows the word, even to say no.
    second: dict[str, Any] = {"aux_loss": True} if has_second_head else {}
    network: nn.Module = getattr(segmentation, builder)(
        weights=None, weights_backbone=None, num_classes=num_classes, **second
    )
    return network


FAMILY = Family(loaders={Detector: load})
