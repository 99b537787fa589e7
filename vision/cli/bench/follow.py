"""Following objects through frames with SAM 2.1, against upstream's own streaming loop."""

from typing import Any

import numpy as np
import torch
from transformers import (
    Sam2ImageProcessor,
    Sam2VideoConfig,
    Sam2VideoModel,
    Sam2VideoProcessor,
    Sam2VideoVideoProcessor,
)

from vision.cli.bench.measure import Figure, at_least, interleaved
from vision.domain.image import ImageSize, RgbImage
from vision.engine.parts import models_dir
from vision.models.base import ModelIdentity
from vision.models.catalogue import listed_specs
from vision.models.device import Placement, choose_device
from vision.models.pretrained import load_network, load_processor
from vision.models.sam2_video import PromptedFollower
from vision.models.video import ObjectPrompt
from vision.models.weights import WeightsStore
from vision.settings import Settings

LISTED = "sam2.1_hiera_tiny"
SIZE = ImageSize(width=1280, height=720)
OBJECTS = 3
FRAMES = 32
ROUNDS = 3
TARGET = 1.0
SEED = 3
FULL_SIDE = 1024
SMALL_SIDE = 128
"""Pixels of the networks' square. Without a GPU one of full size needs seconds a frame, and what
is measured, all that isn't the network, would be lost in its noise."""
WIDTH = 128
SMALL: dict[str, Any] = {
    "vision_config": {
        "backbone_config": {
            "model_type": "sam2_hiera_det_model",
            "hidden_size": 16,
            "image_size": [SMALL_SIDE, SMALL_SIDE],
            "num_attention_heads": 1,
            "blocks_per_stage": [1, 1, 2, 1],
            "embed_dim_per_stage": [16, 32, 64, 128],
            "num_attention_heads_per_stage": [1, 1, 2, 4],
            "window_size_per_stage": [8, 4, 4, 4],
            "global_attention_blocks": [3],
        },
        "backbone_channel_list": [128, 64, 32, 16],
        "backbone_feature_sizes": [[SMALL_SIDE // step] * 2 for step in (4, 8, 16)],
        "fpn_hidden_size": WIDTH,
    },
    "prompt_encoder_config": {"hidden_size": WIDTH, "image_size": SMALL_SIDE},
    "mask_decoder_config": {"hidden_size": WIDTH, "mlp_dim": WIDTH, "iou_head_hidden_dim": 64},
    "image_size": SMALL_SIDE,
    "memory_attention_hidden_size": WIDTH,
    "memory_attention_num_layers": 1,
    "memory_attention_feed_forward_hidden_size": WIDTH,
    "memory_attention_rope_feat_sizes": [SMALL_SIDE // 16] * 2,
    "memory_encoder_hidden_size": WIDTH,
    "mask_downsampler_embed_dim": WIDTH,
    "memory_fuser_embed_dim": WIDTH,
    "memory_fuser_intermediate_dim": WIDTH,
}


def run() -> list[Figure]:
    """One line per precision of the device; random weights where the real ones aren't."""
    device = choose_device("auto")
    names = ("float32", "bfloat16") if device != "cpu" else ("float32",)
    network, processor, kind = _network(device)
    return [_figure(network, processor, kind, Placement(device, name)) for name in names]


def _figure(network: Any, processor: Any, kind: str, placement: Placement) -> Figure:
    identity = ModelIdentity(LISTED, "", placement.device, placement.precision)
    follower = PromptedFollower(network, processor, identity=identity)
    frames = _frames()
    seconds = interleaved(
        {
            "ours": lambda: _ours(follower, frames),
            "upstream": lambda: _upstream(network, processor, frames, placement),
        },
        rounds=ROUNDS,
    )
    return at_least(
        f"SAM 2.1 follows {OBJECTS} objects, {SIZE.height}p, {kind}, {placement.precision}",
        ours=f"{FRAMES / seconds['ours']:.2f} frames/s",
        reference=f"transformers' streaming loop: {FRAMES / seconds['upstream']:.2f} frames/s",
        ratio=seconds["upstream"] / seconds["ours"],
        target=TARGET,
    )


def _ours(follower: PromptedFollower, frames: list[RgbImage]) -> None:
    session = follower.start(SIZE)
    for index, image in enumerate(frames):
        prompts = [ObjectPrompt(n + 1, box=box) for n, box in enumerate(_boxes())]
        session.feed(image, frame_index=index, prompts=prompts if index == 0 else ())


def _upstream(network: Any, processor: Any, frames: list[RgbImage], placement: Placement) -> None:
    """As its documentation shows; its masks end as arrays, where ours end as run lengths."""
    session = processor.init_video_session(inference_device=placement.device)
    for index, image in enumerate(frames):
        inputs = processor(images=image, device=placement.device, return_tensors="pt")
        if index == 0:
            processor.add_inputs_to_inference_session(
                session,
                0,
                list(range(1, OBJECTS + 1)),
                input_boxes=[_boxes().tolist()],
                original_size=inputs.original_sizes[0],
            )
        with placement.autocast():
            output = network(
                inference_session=session, frame=inputs.pixel_values[0], frame_idx=index
            )
        (masks,) = processor.post_process_masks(
            [output.pred_masks.float()], original_sizes=inputs.original_sizes
        )
        masks.cpu().numpy()


def _boxes() -> np.ndarray[Any, np.dtype[np.float32]]:
    corners = np.array([[100, 80, 420, 400], [500, 200, 900, 600], [820, 60, 1200, 360]])
    return corners[:OBJECTS].astype(np.float32)


def _frames() -> list[RgbImage]:
    """Noise that moves: what is in a picture doesn't change the time that it takes."""
    noise = np.random.default_rng(SEED).integers(0, 256, (SIZE.height, SIZE.width, 3), np.uint8)
    return [np.ascontiguousarray(np.roll(noise, 8 * index, axis=1)) for index in range(FRAMES)]


def _network(device: str) -> tuple[Any, Any, str]:
    """With its processor, and what to call it."""
    spec = listed_specs()[LISTED]
    store = WeightsStore(models_dir(Settings()))
    if device != "cpu" and store.is_present(spec):
        folder, sha256 = store.verified(spec)
        identity = ModelIdentity(LISTED, sha256, device, "float32")
        network = load_network(Sam2VideoModel, folder, spec, identity)
        return network, load_processor(Sam2VideoProcessor, folder, spec), LISTED
    torch.manual_seed(SEED)
    side = SMALL_SIDE if device == "cpu" else FULL_SIDE
    network = Sam2VideoModel(Sam2VideoConfig(**(SMALL if device == "cpu" else {})))
    return network.to(device).eval(), _processor(side), f"random weights, {side} pixels"  # type: ignore[arg-type]


def _processor(side: int) -> Sam2VideoProcessor:
    size = {"height": side, "width": side}
    masks = {"height": side // 4, "width": side // 4}
    return Sam2VideoProcessor(
        Sam2ImageProcessor(size=size, mask_size=masks), Sam2VideoVideoProcessor(size=size)
    )
