"""Trains demo_maskrcnn from nothing on yard scenes."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from samples.cache import SceneCache
from samples.scenes.annotations import annotate
from samples.scenes.scene import Scene
from samples.training.run import Losses, Plan, TrainingRun
from vision.models.demo_networks import build_demo_maskrcnn

BATCH = 16
SEED = 1
BRIGHTNESS = (0.8, 1.2)


def detector_plan(cpu_minutes: float, checkpoint: Path) -> Plan:
    return Plan(
        cpu_minutes=cpu_minutes,
        peak_rate=2e-3,
        weight_decay=1e-4,
        largest_gradient=5.0,
        checkpoint=checkpoint,
    )


def train_detector(scenes: SceneCache, plan: Plan) -> dict[str, Tensor]:
    """The averaged weights, float32."""
    torch.manual_seed(SEED)
    network = build_demo_maskrcnn().to(memory_format=torch.channels_last).train()

    def losses_of(step: int) -> Losses:
        return _losses(network, scenes, np.random.default_rng([SEED, step]))

    return TrainingRun(network, plan).finish(losses_of)


def _losses(network: nn.Module, scenes: SceneCache, rng: np.random.Generator) -> Losses:
    picked = [scenes[int(index)] for index in rng.integers(0, len(scenes), BATCH)]
    examples = [_example(scene, rng) for scene in picked]
    images, targets = [image for image, _ in examples], [target for _, target in examples]
    with torch.autocast("cpu", torch.bfloat16):
        losses: Losses = network(images, targets)
    return losses


def _example(scene: Scene, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
    """A picture as torchvision wants it, and its targets; mirrored and relit at random."""
    scene = mirrored(scene) if rng.random() < 0.5 else scene
    objects = annotate(scene).wanted()
    pixels = torch.from_numpy(scene.image).permute(2, 0, 1).float() / 255
    masks = scene.instances[None] == objects.numbers[:, None, None]
    target = {
        "boxes": torch.from_numpy(objects.boxes),
        "labels": torch.from_numpy(objects.class_ids),
        "masks": torch.from_numpy(masks.astype(np.uint8)),
    }
    return (pixels * float(rng.uniform(*BRIGHTNESS))).clamp(0, 1), target


def mirrored(scene: Scene) -> Scene:
    """The scene seen in a mirror."""
    return Scene(
        image=np.ascontiguousarray(scene.image[:, ::-1]),
        instances=np.ascontiguousarray(scene.instances[:, ::-1]),
        class_ids=scene.class_ids,
        full_areas=scene.full_areas,
    )
