"""Embedders, detectors and SAM 2 of transformers, as its documentation runs them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    BitImageProcessor,
    DetrConfig,
    DetrForObjectDetection,
    DetrImageProcessor,
    Dinov2Config,
    Dinov2Model,
    DINOv3ConvNextConfig,
    DINOv3ConvNextModel,
    DINOv3ViTConfig,
    DINOv3ViTImageProcessor,
    DINOv3ViTModel,
    ResNetConfig,
    Sam2ImageProcessor,
    Sam2Model,
    Sam2Processor,
    Sam2VideoConfig,
    Sam2VideoModel,
    Sam2VideoProcessor,
    Sam2VideoVideoProcessor,
)
from transformers.utils import logging as upstream_logging

from vision.cli.bench.networks.contender import Contender, Loop
from vision.domain.image import RgbImage
from vision.domain.prompt import Prompts
from vision.models.base import DetectOptions, Detector, Embedder, PromptSegmenter
from vision.models.device import Placement

BOX = [100.0, 80.0, 400.0, 300.0]
EMBEDDERS: dict[str, tuple[Any, Any]] = {
    "dinov2_base": (Dinov2Model, Dinov2Config(patch_size=14, image_size=518)),
    "dinov2_small": (
        Dinov2Model,
        Dinov2Config(patch_size=14, image_size=518, hidden_size=384, num_attention_heads=6),
    ),
    "dinov3_vitb16": (
        DINOv3ViTModel,
        DINOv3ViTConfig(
            hidden_size=768, intermediate_size=3072, num_attention_heads=12, num_register_tokens=4
        ),
    ),
    "dinov3_vits16": (DINOv3ViTModel, DINOv3ViTConfig(num_register_tokens=4)),
    "dinov3_convnext_tiny": (DINOv3ConvNextModel, DINOv3ConvNextConfig()),
}
"""The published sizes."""


def _seed_embedder(folder: Path, name: str) -> Path:
    network_class, config = EMBEDDERS[name]
    _save(network_class(config), folder)
    if name.startswith("dinov2"):
        BitImageProcessor(size={"shortest_edge": 256}).save_pretrained(folder)
    else:
        DINOv3ViTImageProcessor().save_pretrained(folder)
    return folder


def _embedding_loop(folder: Path, name: str, placement: Placement) -> Loop:
    network_class, _ = EMBEDDERS[name]
    network = _on(placement, network_class, folder)
    processor_class = BitImageProcessor if name.startswith("dinov2") else DINOv3ViTImageProcessor
    processor = processor_class.from_pretrained(folder)

    @torch.inference_mode()
    def loop(images: Sequence[RgbImage]) -> object:
        inputs = processor(images=list(images), return_tensors="pt", device=placement.device)
        with placement.autocast():
            return network(**inputs).pooler_output.float().cpu()

    return loop


def _embedder(like: str, on_cpu: str) -> Contender:
    return Contender(
        like,
        on_cpu,
        Embedder,
        seed=_seed_embedder,
        ask=lambda model, images: model.embed(images),
        upstream=_embedding_loop,
    )


def _seed_detr(folder: Path, _name: str) -> Path:
    backbone = ResNetConfig.from_dict({"out_features": ["stage4"]})
    config = DetrConfig(backbone_config=backbone, id2label={n: f"class {n}" for n in range(91)})
    _save(DetrForObjectDetection(config), folder)
    DetrImageProcessor().save_pretrained(folder)
    return folder


def _detr_loop(folder: Path, _name: str, placement: Placement) -> Loop:
    network = _on(placement, DetrForObjectDetection, folder)
    processor = DetrImageProcessor.from_pretrained(folder)

    @torch.inference_mode()
    def loop(images: Sequence[RgbImage]) -> object:
        inputs = processor(images=list(images), return_tensors="pt", device=placement.device)
        with placement.autocast():
            outputs = network(**inputs)
        sizes = [image.shape[:2] for image in images]
        rows = processor.post_process_object_detection(outputs, 0.5, target_sizes=sizes)
        return [row["boxes"].cpu() for row in rows]

    return loop


def _seed_sam2(folder: Path, _name: str) -> Path:
    _save(Sam2VideoModel(Sam2VideoConfig()), folder)
    Sam2VideoProcessor(Sam2ImageProcessor(), Sam2VideoVideoProcessor()).save_pretrained(folder)
    return folder


def _sam2_loop(folder: Path, _name: str, placement: Placement) -> Loop:
    network = _on(placement, Sam2Model, folder)
    processor: Any = Sam2Processor.from_pretrained(folder)

    @torch.inference_mode()
    def one(image: RgbImage) -> object:
        inputs = processor(images=image, input_boxes=[[BOX]], return_tensors="pt").to(
            placement.device
        )
        # As ours: only the encoder bears another format.
        with placement.autocast():
            levels = network.get_image_embeddings(inputs.pixel_values)
        outputs = network(
            image_embeddings=[level.float() for level in levels],
            input_boxes=inputs.input_boxes,
            multimask_output=False,
        )
        return processor.post_process_masks(outputs.pred_masks.cpu(), inputs.original_sizes.cpu())

    return lambda images: [one(image) for image in images]


def _save(network: Any, folder: Path) -> None:
    upstream_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    network.save_pretrained(folder)


def _on(placement: Placement, network_class: Any, folder: Path) -> Any:
    upstream_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    return network_class.from_pretrained(folder).to(placement.device).eval()


def segmented(model: PromptSegmenter, images: Sequence[RgbImage]) -> object:
    """One box in each picture."""
    prompts = Prompts.from_boxes(np.array([BOX], np.float32))
    return [model.segment(model.embed(image), prompts) for image in images]


CONTENDERS = (
    _embedder("dinov2_base", "dinov2_small"),
    _embedder("dinov3_vitb16", "dinov3_vits16"),
    _embedder("dinov3_convnext_tiny", "dinov3_convnext_tiny"),
    Contender(
        "detr_resnet_50",
        "detr_resnet_50",
        Detector,
        seed=_seed_detr,
        ask=lambda model, images: model.detect(images, DetectOptions()),
        upstream=_detr_loop,
    ),
    Contender(
        "sam2.1_hiera_tiny",
        "sam2.1_hiera_tiny",
        PromptSegmenter,
        seed=_seed_sam2,
        ask=segmented,
        upstream=_sam2_loop,
    ),
)
