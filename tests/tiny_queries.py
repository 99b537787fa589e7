"""DETR and Mask2Former with seeded random weights, as folders, and a pool that has them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from seeded import as_pixels, picture
from settling import settle_head
from transformers import (
    DetrConfig,
    DetrForObjectDetection,
    DetrForSegmentation,
    DetrImageProcessor,
    Mask2FormerConfig,
    Mask2FormerForUniversalSegmentation,
    Mask2FormerImageProcessor,
    ResNetConfig,
    SwinConfig,
)

NAMES = ("N/A", "person", "car", "dog", "sky", "grass")
"""By class id; the first one stands for no class."""
SIZE = {"shortest_edge": 64, "longest_edge": 96}
STAGES = ["stage1", "stage2", "stage3", "stage4"]
ATTENTION = 300.0
"""So much more does the mask head make of where a query looks."""
RARE = 6.0
"""So much less likely is each pixel in a mask: else all masks overlap, and none is a segment."""


def detr_config(**changes: object) -> DetrConfig:
    backbone = ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 24, 32, 48],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=STAGES,
    )
    settings: dict[str, object] = {
        "d_model": 32,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 8,
        "decoder_attention_heads": 8,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "num_queries": 20,
        "id2label": dict(enumerate(NAMES)),
        "backbone_config": backbone,
    }
    return DetrConfig(**settings | changes)


def mask2former_config() -> Mask2FormerConfig:
    backbone = SwinConfig(
        image_size=64,
        patch_size=4,
        embed_dim=16,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_features=STAGES,
    )
    return Mask2FormerConfig(
        backbone_config=backbone,
        hidden_dim=32,
        feature_size=32,
        mask_feature_size=32,
        encoder_feedforward_dim=32,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=4,
        dim_feedforward=32,
        num_queries=20,
        id2label=dict(enumerate(NAMES)),
    )


def save_detr(folder: Path, config: DetrConfig | None = None) -> Path:
    torch.manual_seed(7)
    network = DetrForObjectDetection(config or detr_config())
    processor = DetrImageProcessor(size=SIZE)
    _spread(network)
    with torch.no_grad():
        _settle(
            network, processor, {"class_labels_classifier": 3.0, "bbox_predictor.layers.2": 1.0}
        )
    return _saved(folder, network, processor)


def save_detr_panoptic(folder: Path) -> Path:
    torch.manual_seed(7)
    network = DetrForSegmentation(detr_config())
    processor = DetrImageProcessor(size=SIZE)
    _spread(network)
    with torch.no_grad():
        first = next(network.mask_head.conv1.parameters())
        first[:, network.config.d_model :].mul_(ATTENTION)
        heads = {"detr.class_labels_classifier": 1.5, "bbox_attention.q_proj": 9.0}
        _settle(network, processor, heads | {"mask_head.output_conv": 6.0})
        network.mask_head.output_conv.bias.sub_(RARE)
    return _saved(folder, network, processor)


def save_mask2former(folder: Path) -> Path:
    torch.manual_seed(7)
    network = Mask2FormerForUniversalSegmentation(mask2former_config())
    processor = Mask2FormerImageProcessor(size=SIZE)
    _spread(network)
    embedder = "model.transformer_module.decoder.mask_predictor.mask_embedder.2.0"
    with torch.no_grad():
        _settle(network, processor, {"class_predictor": 3.0, embedder: 1.5})
        # One number of each pixel is 1, and what every query makes of it is "rather not".
        pixels = network.model.pixel_level_module.decoder.mask_projection
        pixels.weight[0], pixels.bias[0] = 0.0, 1.0
        query = network.get_submodule(embedder)
        query.weight[0], query.bias[0] = 0.0, -RARE
    return _saved(folder, network, processor)


def _saved(folder: Path, network: Any, processor: Any) -> Path:
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@torch.no_grad()
def _spread(network: Any) -> None:
    """Upstream's own small beginnings make all queries alike: here they differ."""
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            is_query = "quer" in name and "embe" in name
            fan_in = 1 if is_query else parameter[0].numel()
            parameter.normal_(0, fan_in**-0.5)


def _settle(network: Any, processor: Any, heads: Mapping[str, float]) -> None:
    network.eval()
    inputs = processor(images=[as_pixels(picture(90, 130, seed=3)) * 255], return_tensors="pt")
    for name, deviation in heads.items():
        head = network.get_submodule(name)
        settle_head(head, lambda: network(**inputs), deviation=deviation)
