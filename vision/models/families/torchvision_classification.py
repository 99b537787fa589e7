"""torchvision's classification of pictures, from one file of weights each."""

from pathlib import Path

import torchvision.models
from torch import nn

from vision.models.base import Classifier, ModelIdentity
from vision.models.families import Family
from vision.models.spec import ModelSpec
from vision.models.state import load_state, read_state, what_should_fit
from vision.models.torchvision_classification import TorchvisionClassifier
from vision.models.torchvision_pixels import published_transforms


def load(spec: ModelSpec, file: Path, identity: ModelIdentity) -> TorchvisionClassifier:
    """The network that the entry names, with as many classes as labels."""
    network = build(spec.builder, num_classes=len(spec.labels))
    load_state(network, read_state(file), what=what_should_fit(spec))
    return TorchvisionClassifier(
        network, published_transforms(spec.builder), identity=identity, labels=spec.labels
    )


def build(builder: str, *, num_classes: int) -> nn.Module:
    """With fresh random weights."""
    network: nn.Module = torchvision.models.get_model(
        builder, weights=None, num_classes=num_classes
    )
    return network


FAMILY = Family(loaders={Classifier: load})
