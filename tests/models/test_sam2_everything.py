"""Everything in a picture by SAM 2, EdgeTAM and SAM 3's tracker, against upstream's functions.

transformers' own pipeline is right on square pictures; on others its clicks miss a part of the
picture (see `PromptedGrid`), so there its functions are called here with clicks that don't.
"""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from loaded_sams import POINTED_AT, load_tiny
from PIL import Image
from seeded import picture
from segment_anything.utils.amg import build_point_grid, generate_crop_boxes
from test_sam2_prompts import Upstream
from torch import Tensor
from transformers import MaskGenerationPipeline

from vision.domain.detections import Detections
from vision.domain.image import RgbImage
from vision.domain.mask import RleMask
from vision.models.base import EverythingOptions, MaskGenerator

pytestmark = pytest.mark.usefixtures("two_threads")
LENIENT = EverythingOptions(
    points_per_side=4,
    points_per_batch=16,
    pred_iou_thresh=0.49,
    stability_score_thresh=0.72,
    stability_score_offset=0.1,
    box_nms_thresh=1.0,
    crop_nms_thresh=1.0,
)
"""Random weights trust nothing, and their masks reach from edge to edge: upstream's thresholds
would leave one mask or none.
"""
SQUARE = picture(128, 128, seed=5)
OBLONG = [picture(90, 160, seed=3), picture(200, 130, seed=4)]
SMALL = picture(40, 44, seed=6)
"""So small that all edges of its crops count as its own: masks that end there stay."""


@pytest.fixture(scope="module", params=POINTED_AT)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def upstream(family: str) -> Upstream:
    return Upstream(family)


@pytest.fixture(scope="module")
def generator(family: str) -> MaskGenerator:
    return load_tiny(family, MaskGenerator)


@pytest.mark.parametrize(("box_nms_thresh", "at_least"), [(1.0, 2), (0.9, 1)])
def test_a_square_picture_gives_what_the_pipeline_gives(
    generator: MaskGenerator, upstream: Upstream, box_nms_thresh: float, at_least: int
) -> None:
    pipeline = MaskGenerationPipeline(
        model=upstream.network, image_processor=upstream.processor.image_processor
    )
    expected = pipeline(
        Image.fromarray(SQUARE),
        points_per_crop=LENIENT.points_per_side,
        points_per_batch=LENIENT.points_per_batch,
        pred_iou_thresh=LENIENT.pred_iou_thresh,
        stability_score_thresh=LENIENT.stability_score_thresh,
        stability_score_offset=LENIENT.stability_score_offset,
        crops_nms_thresh=box_nms_thresh,
        output_bboxes_mask=True,
    )

    found = generator.generate(SQUARE, replace(LENIENT, box_nms_thresh=box_nms_thresh))

    assert at_least <= len(found) < 48
    assert found.masks == RleMask.from_bitmaps(np.array(expected["masks"]))
    np.testing.assert_array_equal(found.predicted_iou, expected["scores"].numpy())
    np.testing.assert_array_equal(found.boxes, expected["bounding_boxes"].numpy())


@pytest.mark.parametrize("image", OBLONG, ids=["wide", "high"])
def test_an_oblong_picture_gives_what_upstreams_functions_give(
    generator: MaskGenerator, upstream: Upstream, image: RgbImage
) -> None:
    masks, ious = _upstream_of_crop(upstream, image, [0, 0, *image.shape[1::-1]], LENIENT)

    found = generator.generate(image, LENIENT)

    assert 2 <= len(found) < 48
    assert found.masks == masks
    np.testing.assert_array_equal(found.predicted_iou, ious)


def test_crops_are_looked_at_one_by_one(generator: MaskGenerator, upstream: Upstream) -> None:
    options = replace(LENIENT, points_per_side=2, crop_n_layers=1)
    crops, _ = generate_crop_boxes(SMALL.shape[:2], 1, options.crop_overlap_ratio)
    answers = [_upstream_of_crop(upstream, SMALL, crop, options) for crop in crops]

    found = generator.generate(SMALL, options)

    expected = sorted(mask.counts for masks, _ in answers for mask in masks)
    assert len(crops) == 5
    assert len(expected) > len(answers[0][0]) > 0
    assert found.masks is not None
    assert sorted(mask.counts for mask in found.masks) == expected


def test_small_regions_are_removed(generator: MaskGenerator) -> None:
    options = replace(LENIENT, min_mask_region_area=60)

    found = generator.generate(OBLONG[0], options)
    before = generator.generate(OBLONG[0], replace(options, min_mask_region_area=0))

    assert _smallest_region(before) < 60 <= _smallest_region(found)


def test_stability_is_upstreams(generator: MaskGenerator, upstream: Upstream) -> None:
    options = replace(LENIENT, points_per_side=1, pred_iou_thresh=0.0, stability_score_thresh=0.0)
    image, half = OBLONG[0], [OBLONG[0].shape[1] / 2, OBLONG[0].shape[0] / 2]
    logits, _ = _upstream_logits(upstream, image, torch.tensor([half]))

    found = generator.generate(image, options)

    offset = options.stability_score_offset
    inner, outer = (logits > offset).sum((-1, -2)), (logits > -offset).sum((-1, -2))
    assert found.stability_scores is not None
    expected = (inner / outer).flatten().numpy()
    np.testing.assert_array_equal(np.sort(found.stability_scores), np.sort(expected))


def test_smaller_batches_of_points_change_nothing(generator: MaskGenerator) -> None:
    one = generator.generate(OBLONG[0], replace(LENIENT, points_per_batch=5))
    other = generator.generate(OBLONG[0], LENIENT)

    assert len(one) == len(other)
    np.testing.assert_allclose(one.predicted_iou, other.predicted_iou, rtol=0, atol=1e-5)


def test_nothing_may_be_found(generator: MaskGenerator) -> None:
    found = generator.generate(SQUARE, replace(LENIENT, pred_iou_thresh=1.0))

    assert len(found) == 0
    assert found.masks == ()


def _upstream_of_crop(
    upstream: Upstream, image: RgbImage, crop: list[int], options: EverythingOptions
) -> tuple[tuple[RleMask, ...], Any]:
    """Masks of the whole picture and trust, highest first."""
    x1, y1, x2, y2 = crop
    grid = torch.tensor(build_point_grid(options.points_per_side)) * torch.tensor(
        [x2 - x1, y2 - y1]
    )
    logits, ious = _upstream_logits(upstream, image[y1:y2, x1:x2], grid)
    run_lengths, scores, boxes = upstream.processor.image_processor.filter_masks(
        logits,
        ious,
        image.shape[:2],
        crop,
        pred_iou_thresh=options.pred_iou_thresh,
        stability_score_thresh=options.stability_score_thresh,
        stability_score_offset=options.stability_score_offset,
    )
    masks, scores, _, _ = upstream.processor.image_processor.post_process_for_mask_generation(
        run_lengths, scores, boxes, options.box_nms_thresh
    )
    bitmaps = np.array([mask.numpy() for mask in masks]).reshape(-1, *image.shape[:2])
    return RleMask.from_bitmaps(bitmaps), scores.numpy()


def _upstream_logits(upstream: Upstream, image: RgbImage, points: Tensor) -> tuple[Tensor, Tensor]:
    """(points, 3, height, width), (points, 3) of clicks (points, 2) in pixels."""
    inputs = upstream.processor(
        images=Image.fromarray(image), input_points=points[None, :, None], return_tensors="pt"
    )
    with torch.inference_mode():
        answer = upstream.network(**inputs)
    (logits,) = upstream.processor.post_process_masks(
        answer.pred_masks, inputs["original_sizes"], binarize=False
    )
    return logits, answer.iou_scores[0]


def _smallest_region(found: Detections) -> int:
    """Pixels of the smallest piece or hole of any mask."""
    assert found.masks
    bitmaps = [mask.bitmap() for mask in found.masks]
    return min(
        int(cv2.connectedComponentsWithStats(side.astype(np.uint8))[2][1:, -1].min(initial=10**9))
        for bitmap in bitmaps
        for side in (bitmap, ~bitmap)
    )
