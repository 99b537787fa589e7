"""Clicks and boxes of SAM 2, EdgeTAM and SAM 3's tracker: ours against upstream's classes."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loaded_sams import POINTED_AT, listed_like, load_tiny, tiny_folder
from numpy.typing import NDArray
from own_models import own_model
from PIL import Image
from safetensors.torch import load_file, save_file
from seeded import picture
from transformers import (
    EdgeTamModel,
    Sam2Model,
    Sam2Processor,
    Sam3TrackerModel,
    Sam3TrackerProcessor,
)

from vision.domain.image import RgbImage
from vision.domain.mask import RleMask
from vision.domain.prompt import Prompts
from vision.errors import InvalidRequest, WeightsMismatch
from vision.models.base import (
    ConceptSegmenter,
    Detector,
    ModelIdentity,
    PromptedMasks,
    PromptSegmenter,
)
from vision.models.families import family_of
from vision.models.pool import ModelPool
from vision.models.transformers_sam import BOXES_PER_DECODE

NETWORKS: Mapping[str, tuple[Any, Any]] = {
    "sam2": (Sam2Model, Sam2Processor),
    "edgetam": (EdgeTamModel, Sam2Processor),
    "sam3": (Sam3TrackerModel, Sam3TrackerProcessor),
}
PICTURES = [picture(90, 160, seed=3), picture(300, 200, seed=4)]
each_picture = pytest.mark.parametrize("image", PICTURES, ids=["wide", "high"])
NO_POINTS = np.zeros((0, 3), np.float32)
NO_BOXES = np.zeros((0, 4), np.float32)
BOXES = np.array([[10, 20, 90, 80], [40.5, 3, 150, 70.25], [0, 0, 160, 90]], np.float32)
CLICK = np.array([[70, 45, 1]], np.float32)
CLICKS = np.array([[70, 45, 1], [90.5, 20, 1], [12, 8, 0]], np.float32)


class Upstream:
    """One family's network and processor, used as their documentation does."""

    def __init__(self, family: str) -> None:
        network_class, processor_class = NETWORKS[family]
        self.network = network_class.from_pretrained(tiny_folder(family)).eval()
        self.processor = processor_class.from_pretrained(tiny_folder(family))

    def masks(
        self, image: RgbImage, *, multimask_output: bool, **prompt: Any
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """(objects, masks, height, width), (objects, masks)."""
        inputs = self.processor(images=Image.fromarray(image), return_tensors="pt", **prompt)
        with torch.inference_mode():
            answer = self.network(**inputs, multimask_output=multimask_output)
        (masks,) = self.processor.post_process_masks(answer.pred_masks, inputs["original_sizes"])
        return masks.numpy(), answer.iou_scores[0].numpy()


@pytest.fixture(scope="module", params=POINTED_AT)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def upstream(family: str) -> Upstream:
    return Upstream(family)


@pytest.fixture(scope="module")
def pool(family: str, tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    """The family's tiny network as a user's own model, named `own`."""
    place = tmp_path_factory.mktemp("models")
    return own_model(place, tiny_folder(family), like=listed_like(family).name)


@pytest.fixture
def segmenter(pool: ModelPool) -> PromptSegmenter:
    return pool.get("own", PromptSegmenter)


def assert_equal(
    found: PromptedMasks, bitmaps: NDArray[np.bool_], ious: NDArray[np.float32]
) -> None:
    """Bit for bit."""
    assert bitmaps.any()
    assert not bitmaps.all()
    assert found.masks == RleMask.from_bitmaps(bitmaps)
    np.testing.assert_array_equal(found.predicted_iou, ious)


@each_picture
def test_boxes_give_what_upstream_gives(
    segmenter: PromptSegmenter, upstream: Upstream, image: RgbImage
) -> None:
    masks, ious = upstream.masks(image, input_boxes=[BOXES.tolist()], multimask_output=False)

    found = segmenter.segment(segmenter.embed(image), Prompts.from_boxes(BOXES))

    assert_equal(found, masks[:, 0], ious[:, 0])


@each_picture
def test_one_click_gives_the_best_of_upstreams_three(
    segmenter: PromptSegmenter, upstream: Upstream, image: RgbImage
) -> None:
    masks, ious = upstream.masks(
        image, input_points=[[[[70, 45]]]], input_labels=[[[1]]], multimask_output=True
    )
    best = int(ious[0].argmax())

    found = segmenter.segment(segmenter.embed(image), Prompts(CLICK, NO_BOXES))

    assert_equal(found, masks[:, best], ious[:, best])


@each_picture
def test_several_clicks_describe_one_object(
    segmenter: PromptSegmenter, upstream: Upstream, image: RgbImage
) -> None:
    masks, ious = upstream.masks(
        image,
        input_points=[[CLICKS[:, :2].tolist()]],
        input_labels=[[[1, 1, 0]]],
        multimask_output=False,
    )

    found = segmenter.segment(segmenter.embed(image), Prompts(CLICKS, NO_BOXES))

    assert_equal(found, masks[:, 0], ious[:, 0])


def test_an_embedding_is_asked_again_and_again(segmenter: PromptSegmenter) -> None:
    kept = segmenter.embed(PICTURES[0])
    prompts = [Prompts(CLICK, BOXES), Prompts(CLICKS, NO_BOXES), Prompts(CLICK, BOXES)]

    found = [segmenter.segment(kept, one) for one in prompts]
    anew = [segmenter.segment(segmenter.embed(PICTURES[0]), one) for one in prompts]

    assert [one.masks for one in found] == [one.masks for one in anew]
    assert found[0].masks == found[2].masks
    assert found[0].masks[0] != found[1].masks[0]


def test_more_boxes_than_one_decoder_batch_keep_their_order(
    segmenter: PromptSegmenter, upstream: Upstream
) -> None:
    corners = np.random.default_rng(2).uniform((0, 0), (100, 50), (BOXES_PER_DECODE + 5, 2))
    boxes = np.concatenate([corners, corners + 30], axis=1).astype(np.float32)
    _, ious = upstream.masks(PICTURES[0], input_boxes=[boxes.tolist()], multimask_output=False)

    found = segmenter.segment(segmenter.embed(PICTURES[0]), Prompts.from_boxes(boxes))

    assert len(found.masks) == len(boxes)
    assert len(np.unique(ious)) == len(boxes)
    # In other batches sums are rounded in another order.
    np.testing.assert_allclose(found.predicted_iou, ious[:, 0], rtol=0, atol=1e-5)


def test_bfloat16_is_for_the_image_encoder_only(family: str) -> None:
    exact, rounded = (
        load_tiny(family, PromptSegmenter, precision=precision).embed(PICTURES[0]).features
        for precision in ("float32", "bfloat16")
    )

    for expected, found in zip(exact.levels, rounded.levels, strict=True):  # type: ignore[attr-defined]
        error = (found - expected).norm() / expected.norm()
        assert found.dtype == torch.float32
        assert 0 < error < 0.1


@pytest.mark.parametrize("fault", ["that the files lack", "that the network lacks"])
def test_weights_that_are_not_whole_are_refused(family: str, fault: str, tmp_path: Path) -> None:
    folder = tmp_path / "renamed"
    shutil.copytree(tiny_folder(family), folder)
    state = load_file(folder / "model.safetensors")
    renamed = next(name for name in state if name.endswith("mask_decoder.conv_s0.weight"))
    state[f"stray.{renamed}"] = state.pop(renamed)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    spec = listed_like(family)
    loader = family_of(spec).loaders[PromptSegmenter]

    with pytest.raises(WeightsMismatch, match=f"1 tensors {fault}"):
        loader(spec, folder, ModelIdentity("own", "", "cpu", "float32"))


def test_others_tasks_are_refused_by_name(pool: ModelPool, family: str) -> None:
    with pytest.raises(InvalidRequest, match="own doesn't detect"):
        pool.get("own", Detector)
    if family != "sam3":
        with pytest.raises(InvalidRequest, match="own finds nothing by words"):
            pool.get("own", ConceptSegmenter)
