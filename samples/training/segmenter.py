"""Trains demo_sam on yards and shapes; its encoder starts as the detector's backbone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import MaskDecoder, Sam
from torch import Tensor

from samples.cache import SceneCache
from samples.scenes.annotations import Annotations, annotate
from samples.scenes.scene import Scene
from samples.training.detector import BRIGHTNESS, mirrored
from samples.training.mask_losses import mask_losses
from samples.training.prompts import (
    Clicks,
    asked_object,
    clicked_mask,
    drawn_box,
    earlier_logits,
    one_click,
    two_clicks,
)
from samples.training.run import Losses, Plan, TrainingRun
from vision.models.demo_networks import DEMO_IMAGE_SIDE, build_demo_sam

SEED = 2
YARDS_PER_BATCH, SHAPES_PER_BATCH = 4, 2
BOXES, SINGLES, PAIRS, REFINED = 3, 3, 1, 1
"""Prompts of each kind per picture."""
GRAY_CHANCE = 0.1
CUT_CHANCE = 0.35
SMALLEST_CUT = 0.55
MASK_STRIDE = 4
BACKBONE = "backbone."


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts of one kind, one row each, for the pictures of a batch."""

    pictures: Tensor
    """(p,) which picture of the batch."""
    coverage: Tensor
    """(p, 64, 64) float32, the share of each cell that the true mask covers."""
    boxes: Tensor | None = None
    points: tuple[Tensor, Tensor] | None = None
    earlier: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """One training picture and what is asked about it."""

    pixels: Tensor
    """(3, 256, 256) float32, normalised; zero where it is padded."""
    instances: NDArray[np.uint8]
    """(height, width) of the picture before padding."""
    objects: Annotations


def segmenter_plan(cpu_minutes: float, checkpoint: Path) -> Plan:
    return Plan(
        cpu_minutes=cpu_minutes,
        peak_rate=1.2e-3,
        weight_decay=0.01,
        largest_gradient=1.0,
        checkpoint=checkpoint,
    )


def train_segmenter(
    yards: SceneCache, shapes: SceneCache, *, plan: Plan, detector: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The averaged weights, float32. `detector` are demo_maskrcnn's weights."""
    torch.manual_seed(SEED)
    network = build_demo_sam().train()
    network.image_encoder.backbone.load_state_dict(
        {
            name.removeprefix(BACKBONE): value
            for name, value in detector.items()
            if name.startswith(BACKBONE)
        }
    )
    network.image_encoder.to(memory_format=torch.channels_last)

    def losses_of(step: int) -> Losses:
        rng = np.random.default_rng([SEED, step])
        pictures = [_picture(network, yards, rng) for _ in range(YARDS_PER_BATCH)]
        pictures += [_picture(network, shapes, rng) for _ in range(SHAPES_PER_BATCH)]
        return _losses(network, pictures, rng)

    return TrainingRun(network, plan).finish(losses_of)


def _picture(network: Sam, scenes: SceneCache, rng: np.random.Generator) -> Picture:
    """A random scene with at least one object, mirrored, cut and relit at random."""
    while True:
        scene = scenes[int(rng.integers(len(scenes)))]
        scene = _cut(mirrored(scene) if rng.random() < 0.5 else scene, rng)
        objects = annotate(scene).wanted()
        if len(objects.boxes):
            break
    pixels = torch.from_numpy(scene.image).permute(2, 0, 1).float() * float(
        rng.uniform(*BRIGHTNESS)
    )
    if rng.random() < GRAY_CHANCE:
        pixels = pixels.mean(0, keepdim=True).expand_as(pixels)
    return Picture(network.preprocess(pixels.clamp(0, 255)), scene.instances, objects)


def _cut(scene: Scene, rng: np.random.Generator) -> Scene:
    """Sometimes only the upper or left part: SAM pads pictures that are not square."""
    if rng.random() > CUT_CHANCE:
        return scene
    kept = [len(scene.image)] * 2
    kept[int(rng.integers(2))] = int(len(scene.image) * rng.uniform(SMALLEST_CUT, 1))
    part = np.s_[: kept[0], : kept[1]]
    return Scene(scene.image[part], scene.instances[part], scene.class_ids, scene.full_areas)


def _losses(network: Sam, pictures: list[Picture], rng: np.random.Generator) -> Losses:
    groups = [
        _box_prompts(pictures, rng),
        _click_prompts(pictures, rng, clicks=one_click, per_picture=SINGLES),
        _click_prompts(pictures, rng, clicks=two_clicks, per_picture=PAIRS),
        _refined(_click_prompts(pictures, rng, clicks=two_clicks, per_picture=REFINED), rng),
    ]
    with torch.autocast("cpu", torch.bfloat16):
        pixels = torch.stack([picture.pixels for picture in pictures])
        embeddings = network.image_encoder(pixels.contiguous(memory_format=torch.channels_last))
        # Prompts with equally many tokens are decoded together: fewer, larger calls.
        answers = [_decoded(network, embeddings, pair) for pair in (groups[:2], groups[2:])]
    logits, predicted_iou = (torch.cat(parts).float() for parts in zip(*answers, strict=True))
    coverage = torch.cat([group.coverage for group in groups])
    return mask_losses(logits, predicted_iou, coverage, box_count=len(groups[0].coverage))


def _box_prompts(pictures: list[Picture], rng: np.random.Generator) -> Prompts:
    boxes, masks = [], []
    for picture in pictures:
        for _ in range(BOXES):
            row = asked_object(picture.objects, rng)
            boxes.append(drawn_box(picture.objects.boxes[row], rng))
            masks.append(picture.instances == picture.objects.numbers[row])
    owners = torch.arange(len(pictures)).repeat_interleave(BOXES)
    return Prompts(owners, _coverage(masks), boxes=torch.from_numpy(np.stack(boxes)))


def _click_prompts(
    pictures: list[Picture],
    rng: np.random.Generator,
    *,
    clicks: Callable[[NDArray[np.bool_], np.random.Generator], Clicks],
    per_picture: int,
) -> Prompts:
    given, masks = [], []
    for picture in pictures:
        for _ in range(per_picture):
            number = picture.objects.numbers[asked_object(picture.objects, rng)]
            masks.append(clicked_mask(picture.instances, int(number), rng))
            given.append(clicks(masks[-1], rng))
    owners = torch.arange(len(pictures)).repeat_interleave(per_picture)
    points = torch.from_numpy(np.stack([click.points for click in given]))
    labels = torch.from_numpy(np.stack([click.is_inside for click in given]))
    return Prompts(owners, _coverage(masks), points=(points, labels))


def _refined(prompts: Prompts, rng: np.random.Generator) -> Prompts:
    """The same prompts, each with an imperfect earlier mask."""
    earlier = [earlier_logits(coverage, rng) for coverage in prompts.coverage.numpy()]
    return replace(prompts, earlier=torch.from_numpy(np.stack(earlier)[:, None]))


def _coverage(masks: list[NDArray[np.bool_]]) -> Tensor:
    """(p, 64, 64) float32: each mask padded to the network's square and averaged per cell."""
    cells = DEMO_IMAGE_SIDE // MASK_STRIDE
    square = np.zeros((len(masks), DEMO_IMAGE_SIDE, DEMO_IMAGE_SIDE), np.uint8)
    for padded, mask in zip(square, masks, strict=True):
        padded[: mask.shape[0], : mask.shape[1]] = mask
    blocks = square.reshape(len(masks), cells, MASK_STRIDE, cells, MASK_STRIDE)
    return torch.from_numpy(blocks.sum((2, 4)).astype(np.float32) / MASK_STRIDE**2)


def _decoded(network: Sam, embeddings: Tensor, groups: list[Prompts]) -> tuple[Tensor, Tensor]:
    """Mask logits (p, 4, 64, 64) and predicted IoU (p, 4), one row per prompt of all groups."""
    encoded = [
        network.prompt_encoder(points=group.points, boxes=group.boxes, masks=group.earlier)
        for group in groups
    ]
    sparse, dense = (torch.cat(parts) for parts in zip(*encoded, strict=True))
    owners = torch.cat([group.pictures for group in groups])
    return predicted_masks(
        network.mask_decoder,
        embeddings[owners] + dense,
        positions=network.prompt_encoder.get_dense_pe(),
        prompts=sparse,
    )


def predicted_masks(
    decoder: MaskDecoder, features: Tensor, *, positions: Tensor, prompts: Tensor
) -> tuple[Tensor, Tensor]:
    """What `MaskDecoder.predict_masks` computes, for prompts on several pictures at once.

    Upstream's takes one picture; `features` are (p, c, h, w), already one row per prompt.
    """
    count, _, height, width = features.shape
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([own.expand(count, -1, -1), prompts], 1)
    answers, updated = decoder.transformer(features, positions.expand(count, -1, -1, -1), tokens)
    # Channels last as the transformer leaves them: the convolutions are faster without a copy.
    grid = updated.unflatten(1, (height, width)).permute(0, 3, 1, 2)
    upscaled = decoder.output_upscaling(grid)
    filters = torch.stack(
        [mlp(answers[:, 1 + index]) for index, mlp in enumerate(decoder.output_hypernetworks_mlps)],
        1,
    )
    masks = filters @ upscaled.flatten(2)
    return masks.unflatten(2, upscaled.shape[2:]), decoder.iou_prediction_head(answers[:, 0])
