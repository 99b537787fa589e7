"""Our masks against segment-anything's own predictor and generator, on the same random weights."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from seeded import picture, tiny_sam
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam
from torch_threads import enlarging_by_two

from vision.domain.prompt import Prompts
from vision.models.base import ModelIdentity, PromptedMasks
from vision.models.segment_anything import BOXES_PER_DECODE, SegmentAnything

PICTURE = picture(180, 320, seed=3)
BOXES = np.array([[10, 20, 90, 120], [100.5, 3, 300, 170], [0, 0, 320, 180]], np.float32)
SAME_MASK_IOU = 0.999
"""Boxes are decoded together here and one by one there: sums are rounded in another order."""


def official_vit_b() -> Sam:
    torch.manual_seed(5)
    return sam_model_registry["vit_b"](checkpoint=None).eval()


MINUTES = (pytest.mark.slow, pytest.mark.timeout(1200))
EVERY_NETWORK = pytest.mark.parametrize(
    "build", [tiny_sam, pytest.param(official_vit_b, marks=MINUTES)]
)


def ours(network: Sam) -> SegmentAnything:
    identity = ModelIdentity("sam", "0" * 64, "cpu", "float32")
    return SegmentAnything(network, identity=identity)


def predictor(network: Sam) -> SamPredictor:
    asked = SamPredictor(enlarging_by_two(network))
    asked.set_image(PICTURE)
    return asked


def assert_same(
    found: PromptedMasks, bitmaps: NDArray[np.bool_], ious: NDArray[np.float32]
) -> None:
    assert len(found.masks) == len(bitmaps)
    np.testing.assert_allclose(found.predicted_iou, ious, rtol=0, atol=1e-5)
    for mask, bitmap in zip(found.masks, bitmaps, strict=True):
        mine = mask.bitmap()
        assert (mine & bitmap).sum() >= SAME_MASK_IOU * (mine | bitmap).sum()


@EVERY_NETWORK
def test_boxes_give_what_the_predictor_gives(build: Callable[[], Sam]) -> None:
    upstream = predictor(build())
    answers = [upstream.predict(box=box, multimask_output=False) for box in BOXES]
    model = ours(build())

    found = model.segment(model.embed(PICTURE), Prompts.from_boxes(BOXES))

    bitmaps = np.concatenate([masks for masks, _, _ in answers])
    assert bitmaps.any()
    assert_same(found, bitmaps, np.concatenate([ious for _, ious, _ in answers]))


@EVERY_NETWORK
def test_one_click_gives_the_best_of_the_predictors_three(build: Callable[[], Sam]) -> None:
    point = np.array([[150.0, 90.0]])
    masks, ious, _ = predictor(build()).predict(point, np.array([1]), multimask_output=True)
    best = int(ious.argmax())
    model = ours(build())

    prompts = Prompts(np.array([[150, 90, 1]], np.float32), np.zeros((0, 4), np.float32))
    found = model.segment(model.embed(PICTURE), prompts)

    assert_same(found, masks[[best]], ious[[best]])


@EVERY_NETWORK
def test_several_clicks_describe_one_object(build: Callable[[], Sam]) -> None:
    points = np.array([[150, 90, 1], [160, 40, 1], [20, 20, 0]], np.float32)
    masks, ious, _ = predictor(build()).predict(points[:, :2], points[:, 2], multimask_output=False)
    model = ours(build())

    found = model.segment(model.embed(PICTURE), Prompts(points, np.zeros((0, 4), np.float32)))

    assert_same(found, masks, ious)


def test_more_boxes_than_one_decoder_batch_keep_their_order() -> None:
    random = np.random.default_rng(2)
    corners = random.uniform((0, 0), (200, 100), (BOXES_PER_DECODE + 5, 2))
    boxes = np.concatenate([corners, corners + 60], axis=1).astype(np.float32)
    model = ours(tiny_sam())
    embedding = model.embed(PICTURE)

    together = model.segment(embedding, Prompts.from_boxes(boxes))

    for index in (0, BOXES_PER_DECODE - 1, BOXES_PER_DECODE, len(boxes) - 1):
        alone = model.segment(embedding, Prompts.from_boxes(boxes[index : index + 1]))
        found = PromptedMasks(
            together.masks[index : index + 1],
            together.boxes[index : index + 1],
            together.predicted_iou[index : index + 1],
        )
        assert_same(found, alone.masks[0].bitmap()[None], alone.predicted_iou)
