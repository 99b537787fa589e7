"""torchvision's detectors, from one file of weights each."""

from pathlib import Path

from vision.models import torchvision_networks
from vision.models.base import Detector, ModelIdentity
from vision.models.families import Family
from vision.models.spec import ModelSpec
from vision.models.state import read_state, what_should_fit
from vision.models.torchvision_detection import TorchvisionDetector


def load(spec: ModelSpec, file: Path, identity: ModelIdentity) -> TorchvisionDetector:
    """The network that the entry names, with these weights."""
    network = torchvision_networks.load(
        spec.builder,
        read_state(file),
        num_classes=len(spec.labels),
        is_published=spec.like is None,
        what=what_should_fit(spec),
    )
    return TorchvisionDetector(network, identity=identity, labels=spec.labels)


FAMILY = Family(loaders={Detector: load})
