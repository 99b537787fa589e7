"""torchvision's classification of stretches of video, from one file of weights each."""

from collections.abc import Mapping
from pathlib import Path

import torchvision.models
from torch import nn

from vision.models.base import ClipClassifier, ModelIdentity
from vision.models.families import Family
from vision.models.spec import ModelSpec
from vision.models.state import load_state, read_state, what_should_fit
from vision.models.torchvision_classification import TorchvisionClipClassifier
from vision.models.torchvision_pixels import published_transforms

CLIP_FRAMES: Mapping[str, int] = {
    "mc3_18": 16,
    "mvit_v1_b": 16,
    "mvit_v2_s": 16,
    "r2plus1d_18": 16,
    "r3d_18": 16,
    "s3d": 128,
    "swin3d_b": 32,
    "swin3d_s": 32,
    "swin3d_t": 32,
}
"""With so many were the published figures measured; `clip_len` in upstream's notes."""


def load(spec: ModelSpec, file: Path, identity: ModelIdentity) -> TorchvisionClipClassifier:
    """The network that the entry names, with as many classes as labels."""
    network = build(spec.builder, num_classes=len(spec.labels))
    load_state(network, read_state(file), what=what_should_fit(spec))
    return TorchvisionClipClassifier(
        network,
        published_transforms(spec.builder),
        clip_frames=CLIP_FRAMES[spec.builder],
        identity=identity,
        labels=spec.labels,
    )


def build(builder: str, *, num_classes: int) -> nn.Module:
    """With fresh random weights."""
    network: nn.Module = torchvision.models.get_model(
        builder, weights=None, num_classes=num_classes
    )
    return network


FAMILY = Family(loaders={ClipClassifier: load})
