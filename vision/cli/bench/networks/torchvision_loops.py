"""torchvision's networks and segment-anything, as their documentation runs them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torchvision.models
from safetensors.torch import save_file
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam
from torch import nn
from torchvision.models import detection

from vision.cli.bench.networks.contender import Contender, Loop
from vision.cli.bench.networks.transformers_loops import BOX, segmented
from vision.domain.image import RgbImage
from vision.models.base import (
    Classifier,
    ClassifyOptions,
    DetectOptions,
    Detector,
    PromptSegmenter,
)
from vision.models.catalogue import listed_specs
from vision.models.demo_networks import build_demo_sam
from vision.models.device import Placement
from vision.models.state import load_state, read_state

DEMO_SAM = "demo_sam"


def _detector(name: str) -> nn.Module:
    network: nn.Module = getattr(detection, name)(
        weights=None, weights_backbone=None, num_classes=len(listed_specs()[name].labels)
    )
    return network


def _classifier(name: str) -> nn.Module:
    network: nn.Module = torchvision.models.get_model(name, weights=None)
    return network


def _sam(name: str) -> Sam:
    if name == DEMO_SAM:
        return build_demo_sam()
    network: Sam = sam_model_registry[name.removeprefix("sam_")](checkpoint=None)
    return network


def _saved(network: nn.Module, folder: Path) -> Path:
    file = folder / "weights.safetensors"
    save_file(network.state_dict(), file)
    return file


def _loaded(network: nn.Module, file: Path, placement: Placement) -> nn.Module:
    load_state(network, read_state(file), what=file.name)
    return network.to(placement.device).eval()


def _detection_loop(file: Path, name: str, placement: Placement) -> Loop:
    network = _loaded(_detector(name), file, placement)
    network.roi_heads.score_thresh = DetectOptions().min_score  # type: ignore[union-attr]

    @torch.inference_mode()
    def loop(images: Sequence[RgbImage]) -> object:
        pixels = [
            torch.tensor(image, device=placement.device).permute(2, 0, 1) / 255 for image in images
        ]
        with placement.autocast():
            rows = network(pixels)
        return [{key: column.cpu() for key, column in row.items()} for row in rows]

    return loop


def _classification_loop(file: Path, name: str, placement: Placement) -> Loop:
    network = _loaded(_classifier(name), file, placement)
    transforms = torchvision.models.get_model_weights(name).DEFAULT.transforms()

    @torch.inference_mode()
    def loop(images: Sequence[RgbImage]) -> object:
        pictures = [
            torch.tensor(image, device=placement.device).permute(2, 0, 1) for image in images
        ]
        pixels = torch.stack([transforms(picture) for picture in pictures])
        with placement.autocast():
            return network(pixels).float().softmax(1).cpu()

    return loop


def _sam_loop(file: Path, name: str, placement: Placement) -> Loop:
    network = _sam(name)
    _loaded(network, file, placement)
    encode = network.image_encoder.forward

    def in_precision(pixels: torch.Tensor) -> torch.Tensor:
        # As ours: only the encoder bears another format.
        with placement.autocast():
            features: torch.Tensor = encode(pixels)
        return features.float()

    network.image_encoder.forward = in_precision
    predictor = SamPredictor(network)

    def one(image: RgbImage) -> object:
        predictor.set_image(image)
        return predictor.predict(box=np.array(BOX), multimask_output=False)

    return lambda images: [one(image) for image in images]


CONTENDERS = (
    Contender(
        "fasterrcnn_resnet50_fpn_v2",
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        Detector,
        seed=lambda folder, name: _saved(_detector(name), folder),
        ask=lambda model, images: model.detect(images, DetectOptions()),
        upstream=_detection_loop,
    ),
    Contender(
        "resnet50",
        "resnet50",
        Classifier,
        seed=lambda folder, name: _saved(_classifier(name), folder),
        ask=lambda model, images: model.classify(images, ClassifyOptions()),
        upstream=_classification_loop,
    ),
    Contender(
        "sam_vit_b",
        DEMO_SAM,
        PromptSegmenter,
        seed=lambda folder, name: _saved(_sam(name), folder),
        ask=segmented,
        upstream=_sam_loop,
    ),
)
