"""The families of promptable networks on a GPU: the same up to rounding; bfloat16 stays close."""

import numpy as np
import pytest
import torch
from loaded_sams import NAMED, POINTED_AT, load_tiny
from seeded import picture

from vision.domain.concept import Concepts
from vision.domain.prompt import Prompts
from vision.models.base import (
    ConceptOptions,
    ConceptSegmenter,
    EverythingOptions,
    MaskGenerator,
    PromptSegmenter,
)

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU"),
]
PICTURE = picture(90, 160, seed=3)
PROMPTS = Prompts(
    np.array([[70, 45, 1], [12, 8, 0]], np.float32),
    np.array([[10, 20, 90, 80], [40.5, 3, 150, 70.25]], np.float32),
)
EXAMPLES = np.array([[10, 10, 60.5, 70, 1]], np.float32)
EVERY_ROW = ConceptOptions(min_score=0.0)
LENIENT = EverythingOptions(
    points_per_side=3, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0
)
ROUNDING = {"float32": 0.02, "bfloat16": 0.15}
"""In predicted IoU; deep random networks make much of little, and convolutions are in TF32."""
SAME_PIXELS = 0.95
precisions = pytest.mark.parametrize("precision", ROUNDING)


@pytest.mark.parametrize("family", POINTED_AT)
def test_what_is_pointed_at_is_nearly_the_same(family: str) -> None:
    on_cpu = load_tiny(family, PromptSegmenter)
    on_gpu = load_tiny(family, PromptSegmenter, device="cuda")

    expected = on_cpu.segment(on_cpu.embed(PICTURE), PROMPTS)
    found = on_gpu.segment(on_gpu.embed(PICTURE), PROMPTS)

    assert len(found.masks) == 3
    for one, other in zip(found.masks, expected.masks, strict=True):
        assert (one.bitmap() == other.bitmap()).mean() > SAME_PIXELS


@precisions
@pytest.mark.parametrize("family", POINTED_AT)
def test_everything_is_of_the_same_number(family: str, precision: str) -> None:
    expected = load_tiny(family, MaskGenerator).generate(PICTURE, LENIENT)
    on_gpu = load_tiny(family, MaskGenerator, device="cuda", precision=precision)

    found = on_gpu.generate(PICTURE, LENIENT)

    assert len(found) == len(expected) == 27
    trust = np.sort(found.predicted_iou), np.sort(expected.predicted_iou)
    np.testing.assert_allclose(*trust, rtol=0, atol=ROUNDING[precision])


@precisions
@pytest.mark.parametrize("family", NAMED)
def test_what_is_named_has_nearly_the_same_scores(family: str, precision: str) -> None:
    concepts = Concepts(("dog",), EXAMPLES)
    expected = load_tiny(family, ConceptSegmenter).find(PICTURE, concepts, EVERY_ROW)
    on_gpu = load_tiny(family, ConceptSegmenter, device="cuda", precision=precision)

    found = on_gpu.find(PICTURE, concepts, EVERY_ROW)

    assert len(found) == len(expected)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=ROUNDING[precision] / 10)


@pytest.mark.parametrize("family", POINTED_AT)
def test_an_embedding_in_bfloat16_is_kept_on_the_gpu_in_float32(family: str) -> None:
    exact = load_tiny(family, PromptSegmenter).embed(PICTURE).features
    model = load_tiny(family, PromptSegmenter, device="cuda", precision="bfloat16")

    features = model.embed(PICTURE).features

    for level, expected in zip(features.levels, exact.levels, strict=True):  # type: ignore[attr-defined]
        assert level.device.type == "cuda"
        assert level.dtype == torch.float32
        assert 0 < (level.cpu() - expected).norm() / expected.norm() < 0.1
    assert len(model.segment(model.embed(PICTURE), PROMPTS).masks) == 3
