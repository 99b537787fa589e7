"""The shipped weights: small, half precision, and far better than chance on new scenes."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from torch import nn

from samples.cache import FIRST_HELD_OUT_SEED
from samples.evaluation.detector import average_precision, found_objects, true_positive_ious
from samples.evaluation.segmenter import scene_answers
from samples.scenes.scene import render_scene
from samples.shipped import DETECTOR_FILE, SEGMENTER_FILE, shipped_maskrcnn, shipped_sam
from samples.training.segmenter import predicted_masks
from vision.models.demo_networks import DEMO_IMAGE_SIDE, build_demo_maskrcnn, build_demo_sam

MOST_BYTES = 5_000_000
FIRST_SEED = FIRST_HELD_OUT_SEED + 5_000
FILES = [
    pytest.param(DETECTOR_FILE, build_demo_maskrcnn, id="detector"),
    pytest.param(SEGMENTER_FILE, build_demo_sam, id="segmenter"),
]


@pytest.fixture(scope="module")
def scenes():
    return [render_scene(FIRST_SEED + index) for index in range(10)]


@pytest.fixture(scope="module")
def segmenter():
    return shipped_sam()


@pytest.mark.parametrize(("file", "build"), FILES)
def test_a_shipped_file_is_small_and_half_precision(file, build):
    with safe_open(file, "pt") as tensors:
        kinds = {tensors.get_tensor(name).dtype for name in tensors.keys()}  # noqa: SIM118

    assert file.stat().st_size <= MOST_BYTES
    assert kinds - {torch.int64} == {torch.float16}


@pytest.mark.parametrize(("file", "build"), FILES)
def test_a_shipped_file_has_exactly_the_networks_names_and_shapes(file, build):
    network: nn.Module = build()
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    with safe_open(file, "pt") as tensors:
        held = {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118

    assert held == expected


def test_the_detector_finds_the_objects_of_new_scenes(scenes):
    network = shipped_maskrcnn()
    found = [found_objects(network, scene) for scene in scenes]

    _, precision_at_half = average_precision(scenes, found, kind="bbox")

    assert precision_at_half > 0.7
    assert np.mean(true_positive_ious(scenes, found)) > 0.7


def test_the_segmenter_cuts_out_what_it_is_pointed_at(scenes, segmenter):
    predictor = SamPredictor(segmenter)
    answers = [answer for scene in scenes for answer in scene_answers(predictor, scene)]

    assert np.mean([answer.box for answer in answers]) > 0.7
    assert np.mean([answer.click_best for answer in answers]) > 0.65
    assert np.mean([answer.iou_error for answer in answers]) < 0.2


def test_upstreams_mask_generator_runs_on_the_segmenter(scenes, segmenter):
    generator = SamAutomaticMaskGenerator(segmenter, points_per_side=8, pred_iou_thresh=0.7)
    masks = generator.generate(scenes[0].image)

    assert masks
    assert masks[0]["segmentation"].shape == scenes[0].instances.shape


@torch.inference_mode()
def test_batched_decoding_in_training_equals_upstreams(segmenter):
    features = torch.randn(1, *segmenter.prompt_encoder.no_mask_embed.weight.shape[1:], 16, 16)
    boxes = torch.tensor([[10.0, 20, 90, 120], [5, 5, 50, DEMO_IMAGE_SIDE]])
    sparse, dense = segmenter.prompt_encoder(points=None, boxes=boxes, masks=None)
    positions = segmenter.prompt_encoder.get_dense_pe()

    ours = predicted_masks(
        segmenter.mask_decoder, features + dense, positions=positions, prompts=sparse
    )
    upstreams = segmenter.mask_decoder.predict_masks(features, positions, sparse, dense)

    for mine, theirs in zip(ours, upstreams, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)
