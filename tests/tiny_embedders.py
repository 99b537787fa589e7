"""Embedders with seeded random weights, saved as their publishers do; upstream's vectors."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.model import CustomTextCLIP
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    BitImageProcessor,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ConvNextConfig,
    DINOv3ConvNextModel,
    DINOv3ViTConfig,
    DINOv3ViTImageProcessor,
    DINOv3ViTModel,
)

from vision.domain.findings import unit_length
from vision.domain.image import RgbImage
from vision.models.adding import add_model
from vision.models.catalogue import Catalogue
from vision.models.own_models import OWN_CATALOGUE
from vision.models.pool import ModelPool
from vision.models.weights import WeightsStore

SIDE = 56
VIT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 112}
NETWORKS: dict[str, Any] = {
    "dinov2_small": lambda: Dinov2Model(Dinov2Config(**VIT, patch_size=14)),
    "dinov2_giant": lambda: Dinov2Model(Dinov2Config(**VIT, patch_size=14, use_swiglu_ffn=True)),
    "dinov2_with_registers_small": lambda: Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(**VIT, patch_size=14)
    ),
    "dinov3_vits16": lambda: DINOv3ViTModel(
        DINOv3ViTConfig(**VIT, patch_size=16, intermediate_size=64, num_register_tokens=4)
    ),
    "dinov3_convnext_tiny": lambda: DINOv3ConvNextModel(
        DINOv3ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1])
    ),
}
"""By the listed model whose family they are of."""
DIMENSIONS = 32
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
PE_CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 24,
        "vision_cfg": {
            "image_size": 384,
            "timm_model_name": "vit_pe_core_tiny_patch16_384",
            "timm_model_pretrained": False,
            "timm_pool": "map",
            "timm_proj": None,
        },
        "text_cfg": TEXT,
        "custom_text": True,
    },
    "preprocess_cfg": {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bilinear",
        "resize_mode": "squash",
    },
}
"""As timm/PE-Core-T-16-384 has it, with few words' width: timm's towers have one size each."""


def save_dino(folder: Path, like: str) -> Path:
    """A whole folder, as `save_pretrained` makes it."""
    torch.manual_seed(11)
    network = NETWORKS[like]()
    _enliven(network)
    network.eval().save_pretrained(folder)
    _processor(like).save_pretrained(folder)
    return folder


def save_perception_encoder(folder: Path, config: dict[str, Any] = PE_CONFIG) -> Path:
    """A whole folder, as open_clip's `push_to_hf_hub` makes it."""
    torch.manual_seed(11)
    model_cfg = {key: value for key, value in config["model_cfg"].items() if key != "custom_text"}
    network = CustomTextCLIP(**model_cfg)
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    folder.mkdir()
    save_file(state, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def upstream_vectors(folder: Path, like: str, images: Sequence[RgbImage]) -> NDArray[np.float32]:
    """As upstream's documentation shows, picture by picture; of length 1."""
    network = type(NETWORKS[like]()).from_pretrained(folder).eval()
    processor = type(_processor(like)).from_pretrained(folder)
    rows = []
    with torch.inference_mode():
        for image in images:
            inputs = processor(images=Image.fromarray(image), return_tensors="pt")
            rows.append(network(**inputs).pooler_output[0].numpy())
    return unit_length(np.stack(rows))


def _processor(like: str) -> Any:
    if like.startswith("dinov2"):
        return BitImageProcessor(
            size={"shortest_edge": 64}, crop_size={"height": SIDE, "width": SIDE}
        )
    return DINOv3ViTImageProcessor(size={"height": 64, "width": 64})


def _enliven(network: torch.nn.Module) -> None:
    """Fresh networks hardly react to their input: their blocks add next to nothing."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1 and "position" not in name:
                parameter.normal_(0, 0.4 / parameter[0].numel() ** 0.25)
            if "gamma" in name or "lambda1" in name:
                parameter.fill_(1.0)


def open_added(place: Path, folder: Path, like: str, **settings: Any) -> ModelPool:
    """A pool that knows the folder as the user's model `mine`, its licence accepted."""
    add_model(place, "mine", like=like, file=folder)
    catalogue, weights = Catalogue.load(place / OWN_CATALOGUE), WeightsStore(place)
    spec = catalogue["mine"]
    if spec.license.is_restricted:
        weights.acceptances.accept(spec, by="a test")
    asked = {"device": "cpu", "precision": "float32", "memory_bytes": 2**30} | settings
    return ModelPool(catalogue, weights, **asked)
