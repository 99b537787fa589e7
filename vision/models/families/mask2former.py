"""Mask2Former by transformers: instances, all regions, or one region per class.

Which of them says the entry's builder: the checkpoints look alike and were trained for one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor
from torch.nn import functional
from transformers import Mask2FormerForUniversalSegmentation, Mask2FormerImageProcessor

from vision.domain.detections import Detections
from vision.domain.image import ImageSize
from vision.errors import OperatorError
from vision.models.base import DetectOptions, Detector, ModelIdentity
from vision.models.config_labels import class_labels
from vision.models.families import Family
from vision.models.pretrained import load_network, load_processor
from vision.models.regions import Regions, detections_of
from vision.models.segment_answers import (
    class_values,
    instance_regions,
    panoptic_regions,
    semantic_regions,
)
from vision.models.spec import ModelSpec
from vision.models.transformers_detection import Reading, TransformersDetector

MASK_SIDE = 384
"""Upstream scales all masks to it first, whatever shape the network gave them."""

Kind: TypeAlias = Callable[[Tensor, Tensor, ImageSize, DetectOptions], Regions]
"""From (queries, classes + 1) and (queries, MASK_SIDE, MASK_SIDE) logits."""


def load(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> TransformersDetector:
    """From a folder as `save_pretrained` makes it. Raises OperatorError for an unknown builder."""
    if spec.builder not in KINDS:
        raise OperatorError(f"{spec.name}: a builder is one of {', '.join(KINDS)}")
    network = load_network(Mask2FormerForUniversalSegmentation, folder, spec, identity)
    processor = load_processor(Mask2FormerImageProcessor, folder, spec)
    labels = class_labels(spec, network.config)
    read = _reading(KINDS[spec.builder], labels)
    return TransformersDetector(network, processor, read, identity=identity, labels=labels)


def _instance(classes: Tensor, masks: Tensor, size: ImageSize, options: DetectOptions) -> Regions:
    del options  # every query is an answer by itself
    return instance_regions(classes, masks, size)


def _panoptic(classes: Tensor, masks: Tensor, size: ImageSize, options: DetectOptions) -> Regions:
    return panoptic_regions(classes, masks, size, min_score=options.min_score)


def _semantic(classes: Tensor, masks: Tensor, size: ImageSize, options: DetectOptions) -> Regions:
    del options  # every class competes, however unlikely
    return semantic_regions(class_values(classes, masks), size)


KINDS: Mapping[str, Kind] = {
    "instance": _instance,
    "panoptic": _panoptic,
    "semantic": _semantic,
}
"""By the entry's builder."""


def _reading(kind: Kind, labels: tuple[str, ...]) -> Reading:
    def read(outputs: Any, size: ImageSize, options: DetectOptions) -> list[Detections]:
        classes = outputs.class_queries_logits.float()
        masks = _at_upstreams_size(outputs.masks_queries_logits.float())
        return [
            detections_of(kind(queries, small, size, options), size, labels=labels, options=options)
            for queries, small in zip(classes, masks, strict=True)
        ]

    return read


def _at_upstreams_size(masks: Tensor) -> Tensor:
    return functional.interpolate(
        masks, size=(MASK_SIDE, MASK_SIDE), mode="bilinear", align_corners=False
    )


FAMILY = Family(loaders={Detector: load})
