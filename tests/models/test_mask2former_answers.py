"""How queries become regions: every bit as transformers' own post-processing has it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import DetrImageProcessor, Mask2FormerImageProcessor

from vision.domain.image import ImageSize
from vision.models.families.mask2former import MASK_SIDE
from vision.models.regions import Regions
from vision.models.segment_answers import (
    class_values,
    instance_regions,
    panoptic_regions,
    semantic_regions,
)

QUERIES, CLASSES = 12, 5
SIZES = [(100, 150), (77, 31), (3, 200), (1, 1), (500, 430), (384, 384)]
EVERY_SIZE = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
SEEDS = pytest.mark.parametrize("seed", range(3))
ROUNDED = 1e-6
"""Upstream rounds scores to six digits."""


def logits(seed: int) -> tuple[Tensor, Tensor]:
    """(queries, classes + 1) and (queries, 20, 26): decided, and few masks overlap much."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randn(QUERIES, CLASSES + 1, generator=generator) * 4
    coarse = torch.randn(1, QUERIES, 4, 5, generator=generator) * 6 - 4
    masks = functional.interpolate(coarse, size=(20, 26), mode="bilinear")[0]
    return classes, masks


def mask2former_outputs(classes: Tensor, masks: Tensor) -> SimpleNamespace:
    return SimpleNamespace(
        class_queries_logits=classes[None].clone(), masks_queries_logits=masks[None].clone()
    )


def at_mask_side(masks: Tensor) -> Tensor:
    return functional.interpolate(
        masks[None], size=(MASK_SIDE, MASK_SIDE), mode="bilinear", align_corners=False
    )[0]


def image_size(size: tuple[int, int]) -> ImageSize:
    return ImageSize(width=size[1], height=size[0])


def assert_segments(
    found: Regions, segments: list[dict[str, float]], bitmaps: list[Tensor]
) -> None:
    assert len(found.scores) == len(segments)
    for row, (segment, bitmap) in enumerate(zip(segments, bitmaps, strict=True)):
        assert found.class_ids[row] == segment["label_id"]
        assert found.scores[row] == pytest.approx(segment["score"], abs=ROUNDED)
        assert torch.equal(found.bitmap(row), bitmap)


@EVERY_SIZE
@SEEDS
@pytest.mark.parametrize("min_score", [0.0, 0.6])
def test_panoptic_segments_of_mask2former(
    size: tuple[int, int], seed: int, min_score: float
) -> None:
    classes, masks = logits(seed)
    answer = Mask2FormerImageProcessor().post_process_panoptic_segmentation(
        mask2former_outputs(classes, masks),
        threshold=min_score,
        target_sizes=[size],
        label_ids_to_fuse=set(),
    )[0]

    found = panoptic_regions(classes, at_mask_side(masks), image_size(size), min_score=min_score)

    segments = answer["segments_info"]
    assert len(segments) > 1 or size == (1, 1)
    assert_segments(found, segments, [answer["segmentation"] == one["id"] for one in segments])


@EVERY_SIZE
@SEEDS
def test_panoptic_segments_of_detr(size: tuple[int, int], seed: int) -> None:
    classes, masks = logits(seed)
    answer = DetrImageProcessor().post_process_panoptic_segmentation(
        SimpleNamespace(logits=classes[None], pred_masks=masks[None]),
        threshold=0.3,
        target_sizes=[size],
        label_ids_to_fuse=set(),
    )[0]

    found = panoptic_regions(classes, masks, image_size(size), min_score=0.3)

    segments = answer["segments_info"]
    assert_segments(found, segments, [answer["segmentation"] == one["id"] for one in segments])


@EVERY_SIZE
@SEEDS
def test_instances(size: tuple[int, int], seed: int) -> None:
    classes, masks = logits(seed)
    answer = Mask2FormerImageProcessor().post_process_instance_segmentation(
        mask2former_outputs(classes, masks),
        threshold=0.0,
        target_sizes=[size],
        return_binary_maps=True,
    )[0]

    found = instance_regions(classes, at_mask_side(masks), image_size(size))

    segments = answer["segments_info"]
    bitmaps = list(answer["segmentation"] > 0)[: len(segments)]
    assert len(segments) > 1 or size == (1, 1)
    assert_segments(found, segments, bitmaps)


@EVERY_SIZE
@SEEDS
def test_semantic_regions(size: tuple[int, int], seed: int) -> None:
    classes, masks = logits(seed)
    (answer,) = Mask2FormerImageProcessor().post_process_semantic_segmentation(
        mask2former_outputs(classes, masks), target_sizes=[size], return_segmentation_scores=True
    )
    part = answer.segmentation_scores / answer.segmentation_scores.sum(0)

    found = semantic_regions(class_values(classes, at_mask_side(masks)), image_size(size))

    assert found.class_ids.tolist() == answer.segmentation.unique().tolist()
    for row, class_id in enumerate(found.class_ids):
        inside = answer.segmentation == class_id
        assert torch.equal(found.bitmap(row), inside)
        assert found.scores[row] == pytest.approx(part[class_id][inside].mean().item(), abs=1e-5)


def test_nothing_is_found_where_no_query_is_sure() -> None:
    classes = torch.zeros(QUERIES, CLASSES + 1)
    masks = torch.zeros(QUERIES, 8, 8)

    found = panoptic_regions(classes, masks, ImageSize(width=20, height=10), min_score=0.5)

    assert len(found.scores) == len(found.class_ids) == 0


def test_classes_that_nothing_speaks_for_score_nothing() -> None:
    found = semantic_regions(torch.zeros(3, 4, 4), ImageSize(width=8, height=8))

    assert found.class_ids.tolist() == [0]
    np.testing.assert_array_equal(found.scores, [0.0])
