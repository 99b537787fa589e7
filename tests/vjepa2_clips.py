"""V-JEPA 2 with seeded random weights, as a folder, and what it is shown."""

from pathlib import Path

import numpy as np
import torch
from seeded import picture
from settling import settle_head
from transformers import VJEPA2Config, VJEPA2ForVideoClassification, VJEPA2VideoProcessor

from vision.domain.image import RgbImage

NAMES = ("pushing", "pulling", "lifting", "dropping", "turning")
CLIP_FRAMES = 6


def save_vjepa2(folder: Path) -> Path:
    torch.manual_seed(7)
    network = VJEPA2ForVideoClassification(tiny_config()).eval()
    clips = [[picture(60, 90, seed=10 * clip + index) for index in range(6)] for clip in range(4)]
    processor = VJEPA2VideoProcessor(crop_size=32)
    pixels = torch.cat([inputs_of(processor, clip)["pixel_values_videos"] for clip in clips])
    settle_head(network.classifier, lambda: network(pixels), deviation=2.0)
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def tiny_config() -> VJEPA2Config:
    return VJEPA2Config(
        crop_size=32,
        patch_size=8,
        frames_per_clip=CLIP_FRAMES,
        tubelet_size=2,
        hidden_size=48,
        num_attention_heads=2,
        num_hidden_layers=2,
        num_pooler_layers=1,
        mlp_ratio=2,
        pred_hidden_size=24,
        pred_num_attention_heads=2,
        pred_num_hidden_layers=1,
        id2label=dict(enumerate(NAMES)),
    )


def inputs_of(processor: VJEPA2VideoProcessor, frames: list[RgbImage]) -> dict[str, torch.Tensor]:
    clip = torch.tensor(np.stack(frames)).permute(0, 3, 1, 2)
    return dict(processor(videos=[clip], return_tensors="pt"))
