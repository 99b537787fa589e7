"""Networks with seeded random weights, small enough for the suite, and pictures to show them."""

import re
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from torch import Tensor, nn
from torchvision.models import detection

from vision.domain.image import RgbImage

CLASSES = 6
"""Background included."""
LABELS = ("__background__", "one", "two", "three", "four", "five")
SMALL = {"min_size": 128, "max_size": 192}
FIXED_SIZE = ("ssd300_vgg16", "ssdlite320_mobilenet_v3_large")
DETECTION_BUILDERS = (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
    "keypointrcnn_resnet50_fpn",
    "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
    "fcos_resnet50_fpn",
    "ssd300_vgg16",
    "ssdlite320_mobilenet_v3_large",
)
CLASS_HEAD = re.compile(r"(cls_score|cls_logits|classification_head\.module_list\.\d+(\.1)?)$")
LOGIT_DEVIATION = 2.0
FEW_PROPOSALS = {"rpn_pre_nms_top_n_test": 100, "rpn_post_nms_top_n_test": 40}
FEWER_PROPOSALS = {"rpn_pre_nms_top_n_test": 100, "rpn_post_nms_top_n_test": 14}
"""Where every proposal costs a mask or 17 heat maps."""


def picture(height: int, width: int, *, seed: int = 0) -> RgbImage:
    """Random patches under noise, nowhere twice the same; not writable, as frames are."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 200, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    patches = coarse.repeat(16, 0).repeat(16, 1)[:height, :width]
    pixels = patches + random.integers(0, 56, (height, width, 3), np.uint8)
    pixels.setflags(write=False)
    return pixels


def as_pixels(image: RgbImage) -> Tensor:
    """What upstream's `transforms()` makes of a picture: (3, height, width) in [0, 1]."""
    return torch.tensor(image).permute(2, 0, 1).contiguous() / 255


def upstream_detector(builder: str, *, num_classes: int = CLASSES, **settings: Any) -> nn.Module:
    """Upstream's network, evaluating; the same weights whatever the settings."""
    network = _built(builder, num_classes, settings)
    network.load_state_dict(detector_state(builder, num_classes=num_classes))
    return network.eval()


@cache
def detector_state(builder: str, *, num_classes: int = CLASSES) -> dict[str, Tensor]:
    """Random weights under which the network finds several things of several classes."""
    torch.manual_seed(7)
    network = _built(builder, num_classes, {}).eval()
    with torch.no_grad():
        _settle_batch_norm(network)
        _settle_class_head(network)
    state: dict[str, Tensor] = network.state_dict()
    return state


def _built(builder: str, num_classes: int, settings: dict[str, Any]) -> nn.Module:
    if builder not in FIXED_SIZE:
        settings = {**SMALL, **settings}
    if "rcnn" in builder:
        fewer = builder.startswith(("mask", "keypoint"))
        settings = {**(FEWER_PROPOSALS if fewer else FEW_PROPOSALS), **settings}
    network: nn.Module = getattr(detection, builder)(
        weights=None, weights_backbone=None, num_classes=num_classes, **settings
    )
    return network


def detector_settings(builder: str, *, score_thresh: float, limit: int) -> dict[str, Any]:
    """Upstream's own names for the two limits, which differ between its networks."""
    if "rcnn" in builder:
        return {"box_score_thresh": score_thresh, "box_detections_per_img": limit}
    return {"score_thresh": score_thresh, "detections_per_img": limit}


def tiny_sam(*, seed: int = 7) -> Sam:
    """Upstream's own modules: 256 pixels, 64 channels, 2 blocks."""
    torch.manual_seed(seed)
    side, patch, channels = 256, 16, 64
    grid = (side // patch, side // patch)
    sam = Sam(
        image_encoder=ImageEncoderViT(
            img_size=side,
            patch_size=patch,
            embed_dim=channels,
            depth=2,
            num_heads=4,
            out_chans=channels,
            use_rel_pos=True,
            window_size=8,
            global_attn_indexes=(1,),
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=channels,
            image_embedding_size=grid,
            input_image_size=(side, side),
            mask_in_chans=8,
        ),
        mask_decoder=MaskDecoder(
            transformer_dim=channels,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=channels, num_heads=4, mlp_dim=128
            ),
            iou_head_hidden_dim=64,
        ),
    )
    return sam.eval()


def _settle_batch_norm(network: nn.Module) -> None:
    """Let batch norm see two pictures: else the signal dies away in a deep random network."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    network([as_pixels(picture(150, 200, seed=seed)) for seed in (1, 2)])
    network.eval()


def _settle_class_head(network: nn.Module) -> None:
    """Fresh class heads are undecided: spread their logits over what one picture gives."""
    settled: set[nn.Module] = set()  # RetinaNet and FCOS call one head for several levels
    heads = [module for name, module in network.named_modules() if CLASS_HEAD.search(name)]
    hooks = [head.register_forward_hook(partial(_standardize, settled)) for head in heads]
    network([as_pixels(picture(150, 200, seed=1))])
    for hook in hooks:
        hook.remove()


def _standardize(
    settled: set[nn.Module], head: nn.Module, _inputs: object, logits: Tensor
) -> Tensor:
    if not isinstance(head, nn.Linear | nn.Conv2d) or head in settled:
        return logits
    settled.add(head)
    scale, shift = LOGIT_DEVIATION / logits.std(), logits.mean()
    assert head.bias is not None
    head.weight.mul_(scale)
    head.bias.sub_(shift).mul_(scale)
    return (logits - shift) * scale
