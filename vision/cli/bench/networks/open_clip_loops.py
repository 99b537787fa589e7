"""Perception Encoder, as open_clip's documentation runs it."""

import json
from collections.abc import Sequence
from pathlib import Path

import open_clip
import torch
from open_clip.factory import get_model_config
from open_clip.model import CustomTextCLIP
from PIL import Image
from safetensors.torch import save_file

from vision.cli.bench.networks.contender import Contender, Loop
from vision.domain.image import RgbImage
from vision.models.base import TextEmbedder
from vision.models.device import Placement

CONFIGS = {"pe_core_base": "PE-Core-B-16", "pe_core_tiny": "PE-Core-T-16-384"}
PREPROCESSING = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bilinear",
    "resize_mode": "squash",
}


def _seed(folder: Path, name: str) -> Path:
    config = get_model_config(CONFIGS[name])
    config["text_cfg"]["layers"] = 2  # words aren't measured
    described = {"model_cfg": config, "preprocess_cfg": PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    network = CustomTextCLIP(**{key: config[key] for key in config if key != "custom_text"})
    state = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    return folder


def _loop(folder: Path, _name: str, placement: Placement) -> Loop:
    network, prepare = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    network = network.to(placement.device).eval()

    @torch.inference_mode()
    def loop(images: Sequence[RgbImage]) -> object:
        pixels = torch.stack([prepare(Image.fromarray(image)) for image in images])
        with placement.autocast():
            return network.encode_image(pixels.to(placement.device)).float().cpu()

    return loop


CONTENDERS = (
    Contender(
        "pe_core_base",
        "pe_core_tiny",
        TextEmbedder,
        seed=_seed,
        ask=lambda model, images: model.embed(images),
        upstream=_loop,
    ),
)
