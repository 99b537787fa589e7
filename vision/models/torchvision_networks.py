"""torchvision's detection networks, built so that they compute what upstream would compute."""

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torchvision.models import detection
from torchvision.ops import FrozenBatchNorm2d

from vision.models.state import BATCH_COUNTER, State, load_state

BUILDERS: Mapping[str, Callable[..., nn.Module]] = {
    builder.__name__: builder
    for builder in (
        detection.fasterrcnn_resnet50_fpn,
        detection.fasterrcnn_resnet50_fpn_v2,
        detection.fasterrcnn_mobilenet_v3_large_fpn,
        detection.fasterrcnn_mobilenet_v3_large_320_fpn,
        detection.maskrcnn_resnet50_fpn,
        detection.maskrcnn_resnet50_fpn_v2,
        detection.keypointrcnn_resnet50_fpn,
        detection.retinanet_resnet50_fpn,
        detection.retinanet_resnet50_fpn_v2,
        detection.fcos_resnet50_fpn,
        detection.ssd300_vgg16,
        detection.ssdlite320_mobilenet_v3_large,
    )
}

FROZEN_EPSILON: Mapping[str, float] = {
    "fasterrcnn_resnet50_fpn": 0.0,
    "maskrcnn_resnet50_fpn": 0.0,
    "keypointrcnn_resnet50_fpn": 0.0,
    "retinanet_resnet50_fpn": 0.0,
    "fasterrcnn_mobilenet_v3_large_fpn": 1e-5,
    "fasterrcnn_mobilenet_v3_large_320_fpn": 1e-5,
    "fcos_resnet50_fpn": 1e-5,
}
"""Networks whose published weights go with frozen batch norm, and its epsilon: torchvision
builds these differently with weights than without."""

DENSE_BUILDERS = frozenset(
    {"retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2", "fcos_resnet50_fpn"}
)
"""They score each class by itself: class 0 may be a class like any other."""

CLASS_HEADS = (
    "roi_heads.box_predictor.cls_score.bias",
    "head.classification_head.cls_logits.bias",
    "head.classification_head.module_list.0.bias",
    "head.classification_head.module_list.0.1.bias",
)
"""Where the number of classes shows, in the order: R-CNN, RetinaNet and FCOS, SSD, SSDlite."""


def build(builder: str, *, num_classes: int) -> nn.Module:
    """With fresh random weights, on the CPU; `num_classes` counts the background."""
    return BUILDERS[builder](weights=None, weights_backbone=None, num_classes=num_classes)


def load(
    builder: str, state: State, *, num_classes: int, is_published: bool, what: str
) -> nn.Module:
    """With this state. Raises WeightsMismatch.

    Published weights, and others saved without batch counters (they were fine-tuned from the
    published ones), get the frozen batch norm that they were trained with.
    """
    network = build(builder, num_classes=num_classes)
    counted = any(name.endswith(BATCH_COUNTER) for name in state)
    if builder in FROZEN_EPSILON and (is_published or not counted):
        freeze_batch_norm(network, epsilon=FROZEN_EPSILON[builder])
    load_state(network, state, what=what)
    return network


def freeze_batch_norm(network: nn.Module, *, epsilon: float) -> None:
    """Replace every batch norm of the network by torchvision's frozen one."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, FrozenBatchNorm2d(child.num_features, eps=epsilon))


def classes_in(state: State, network: nn.Module, *, num_classes: int) -> int | None:
    """How many classes a state tells apart, background included; None if it has no such head.

    `network` is one of the same kind that tells `num_classes` apart.
    """
    own: dict[str, torch.Tensor] = network.state_dict()
    for name in CLASS_HEADS:
        if name in own and name in state and state[name].ndim == 1:
            return len(state[name]) * num_classes // len(own[name])
    return None
