"""Detectors of the families beside torchvision's own, small and with seeded weights."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from tiny_queries import NAMES, save_detr, save_detr_panoptic, save_mask2former

from vision.models.base import Detector, ModelIdentity
from vision.models.catalogue import listed_specs
from vision.models.families import family_of
from vision.models.families.torchvision_segmentation import build
from vision.models.torchvision_pixels import published_transforms
from vision.models.torchvision_semantic import TorchvisionSemanticSegmenter

IDENTITY = ModelIdentity("it", "0" * 64, "cpu", "float32")
FOLDERS: Mapping[str, Callable[[Path], Path]] = {
    "detr_resnet_50": save_detr,
    "detr_resnet_50_panoptic": save_detr_panoptic,
    "mask2former_tiny_coco_instance": save_mask2former,
    "mask2former_tiny_coco_panoptic": save_mask2former,
    "mask2former_tiny_ade_semantic": save_mask2former,
}
"""By the listed model whose loader reads them."""
SEMANTIC = "lraspp_mobilenet_v3_large"


def from_folder(like: str) -> Detector:
    spec = replace(listed_specs()[like], labels=NAMES)
    with TemporaryDirectory() as place:
        folder = FOLDERS[like](Path(place) / "it")
        model = family_of(spec).loaders[Detector](spec, folder, IDENTITY)
    assert isinstance(model, Detector)
    return model


def semantic_segmenter() -> Detector:
    torch.manual_seed(3)
    labels = NAMES[1:]
    network = build(SEMANTIC, num_classes=len(labels), has_second_head=False)
    transforms = published_transforms(SEMANTIC)
    return TorchvisionSemanticSegmenter(network, transforms, identity=IDENTITY, labels=labels)


FIXED_DETECTORS: Mapping[str, Callable[[], Detector]] = {
    **{like: partial(from_folder, like) for like in FOLDERS},
    SEMANTIC: semantic_segmenter,
}
