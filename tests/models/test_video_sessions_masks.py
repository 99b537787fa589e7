"""Masks of sessions: removing duplicates and specks without an extension, upscaling in parts."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from tiny_video_sams import tiny_word_follower
from torch.nn import functional
from transformers.models.sam3_video import modeling_sam3_video as upstream

from vision.domain.image import ImageSize
from vision.domain.mask import RleMask
from vision.models import mask_nms, mask_upscaling
from vision.models.mask_nms import MaskTools
from vision.models.mask_upscaling import upscaled_masks
from vision.models.sam3_video import masks_apart

RANDOM = np.random.default_rng(11)


def by_definition(ious: NDArray[np.float64], scores: NDArray[np.float64], most: float) -> set[int]:
    """A mask stays unless a better one that stays shares more than `most` with it."""
    stays: set[int] = set()
    for one in sorted(range(len(scores)), key=lambda n: (-scores[n], n)):
        if all(ious[one, other] <= most for other in stays):
            stays.add(one)
    return stays


@pytest.mark.parametrize("count", [0, 1, 2, 25])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_duplicates_leave_as_the_definition_says(count: int, threshold: float) -> None:
    ious = RANDOM.uniform(size=(count, count)).round(1)
    ious = np.maximum(ious, ious.T)
    np.fill_diagonal(ious, 1)
    scores = RANDOM.uniform(size=count).round(1)

    kept = MaskTools().generic_nms(torch.tensor(ious), torch.tensor(scores), threshold).numpy()

    assert set(kept.tolist()) == by_definition(ious, scores, threshold)
    assert scores[kept].tolist() == sorted(scores[kept], reverse=True)
    assert kept.dtype == np.int64


def test_a_mask_on_the_threshold_stays() -> None:
    ious = torch.tensor([[1, 0.5], [0.5, 1]])

    assert MaskTools().generic_nms(ious, torch.tensor([0.2, 0.9]), 0.5).tolist() == [1, 0]
    assert MaskTools().generic_nms(ious, torch.tensor([0.2, 0.9]), 0.49).tolist() == [1]


@pytest.mark.parametrize("density", [0, 0.2, 0.5, 0.9, 1])
def test_patches_are_those_that_scipy_finds(density: float) -> None:
    masks = RANDOM.uniform(size=(3, 1, 24, 30)) < density

    labels, counts = MaskTools().cc_2d(torch.tensor(masks, dtype=torch.uint8))

    assert labels.shape == counts.shape == masks.shape
    assert labels.dtype == counts.dtype == torch.int32
    for place in range(len(masks)):
        label, count = labels[place, 0].numpy(), counts[place, 0].numpy()
        expected, number = ndimage.label(masks[place, 0], structure=np.ones((3, 3)))
        # The same patches, by whatever number.
        pairs = set(zip(expected.flat, label.flat, strict=True))
        assert len(pairs) == len(np.unique(expected)) == len(np.unique(label))
        sizes = np.bincount(expected.flat, minlength=number + 1)
        sizes[0] = 0
        assert (count == sizes[expected]).all()


def test_holes_are_filled_and_specks_removed() -> None:
    mask_nms.install()
    scores = torch.full((1, 1, 21, 21), -5.0)
    scores[..., 3:15, 3:15] = 5
    scores[..., 7:9, 7:9] = -5
    scores[..., 18, 18] = 5

    filled = upstream.fill_holes_in_mask_scores(scores, max_area=4)

    expected = torch.zeros(21, 21, dtype=torch.bool)
    expected[3:15, 3:15] = True
    assert torch.equal(filled[0, 0] > 0, expected)


def test_upstream_removes_duplicates_with_it() -> None:
    mask_nms.install()
    masks = torch.full((4, 16, 16), -1.0)
    masks[0, :8] = masks[1, :8] = masks[2, 8:] = 1
    scores = torch.tensor([0.7, 0.9, 0.8, 0.1])

    keep = upstream.nms_masks(scores, masks, prob_threshold=0.5, iou_threshold=0.1)

    assert keep.tolist() == [False, True, True, False]


def test_extension_that_is_loaded_already_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = object()
    monkeypatch.setattr(upstream, "cv_utils_kernel", loaded)

    mask_nms.install()

    assert upstream.cv_utils_kernel is loaded


@pytest.mark.parametrize("before", [None, False], ids=["never tried", "failed before"])
def test_nothing_is_fetched(before: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_: Any, **__: Any) -> None:
        raise AssertionError("a download was tried")

    monkeypatch.setattr(upstream, "cv_utils_kernel", before)
    monkeypatch.setattr(upstream, "is_kernels_available", lambda: True)
    monkeypatch.setattr(upstream, "get_kernel", fetch, raising=False)

    mask_nms.install()
    upstream._load_cv_utils_kernel_once()

    assert isinstance(upstream.cv_utils_kernel, MaskTools)


@pytest.mark.parametrize("at_once", [1, 2, 100], ids=["one by one", "in twos", "all at once"])
def test_masks_upscaled_in_parts_are_those_upscaled_together(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = ImageSize(width=71, height=53)
    scores = torch.from_numpy(RANDOM.normal(size=(5, 16, 16)).astype(np.float32))
    monkeypatch.setattr(mask_upscaling, "PIXELS_AT_ONCE", at_once * 71 * 53)

    found = upscaled_masks(scores, size)

    together = functional.interpolate(scores[:, None], (53, 71), mode="bilinear")[:, 0] > 0
    assert found == RleMask.from_bitmaps(together.numpy())
    assert upscaled_masks(scores[:0], size) == ()


@pytest.mark.parametrize("words", [("cat",), ("cat", "dog")])
def test_overlaps_go_to_the_surest_as_upstream_decides(words: tuple[str, ...]) -> None:
    processor: Any = tiny_word_follower()._processor
    session = processor.init_video_session()
    processor.add_text_prompt(session, list(words))
    scores = torch.from_numpy(RANDOM.normal(size=(6, 8, 8)).astype(np.float32))
    presence = [0.5, 0.9, 0.5, 0.25, 0.75, 0.9]
    groups = [number % len(words) for number in range(6)]
    session.obj_id_to_prompt_id = dict(enumerate(groups))
    output = {
        "obj_id_to_mask": {number: scores[number, None] for number in range(6)},
        "obj_id_to_score": dict.fromkeys(range(6), 1.0),
        "obj_id_to_tracker_score": dict(enumerate(presence)),
        "suppressed_obj_ids": None,
    }

    found = masks_apart(scores, presence, groups=groups, size=ImageSize(width=40, height=30))

    theirs = processor.postprocess_outputs(session, output, original_sizes=[[30, 40]])["masks"]
    assert found == RleMask.from_bitmaps(theirs.numpy())
    for one, other in itertools.combinations(range(6), 2):
        if groups[one] == groups[other]:
            assert not (found[one].bitmap() & found[other].bitmap()).any()
