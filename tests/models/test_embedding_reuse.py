"""Prompts on images that are known: no second run of the real encoder, and the same masks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from counted_encoder import CountedEncoder
from loaded_sams import POINTED_AT, load_tiny
from safetensors.torch import save_file
from seeded import picture, tiny_sam
from segment_anything import SamPredictor
from torch import Tensor

from vision.domain.prompt import Prompts
from vision.errors import WeightsMissing
from vision.models.adding import add_model
from vision.models.base import (
    IMAGES_PER_ENCODE,
    Detector,
    EverythingOptions,
    ImageEmbedding,
    ModelIdentity,
    PromptedMasks,
    PromptSegmenter,
)
from vision.models.catalogue import Catalogue
from vision.models.demo_networks import build_demo_maskrcnn, build_demo_sam
from vision.models.embedding_store import EmbeddingStore
from vision.models.pool import ModelPool
from vision.models.segment_anything import SegmentAnything
from vision.models.weights import WeightsStore

MIB = 2**20
IMAGES = [picture(96, 128, seed=1), picture(90, 160, seed=2), picture(200, 60, seed=3)]
SLIVER = picture(2, 2000)
NO_POINTS = np.zeros((0, 3), np.float32)
NO_BOXES = np.zeros((0, 4), np.float32)
PROMPTS = [
    Prompts(np.array([[40, 30, 1]], np.float32), NO_BOXES),
    Prompts.from_boxes(np.array([[5, 5, 50, 60], [10, 2, 55, 80]], np.float32)),
    Prompts(np.array([[40, 30, 1], [50, 70, 0]], np.float32), NO_BOXES),
]
EVERYTHING = EverythingOptions(
    points_per_side=3, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0
)


def sam(*, precision: str = "float32") -> SegmentAnything:
    return SegmentAnything(tiny_sam(), identity=ModelIdentity("sam", "0" * 64, "cpu", precision))


def loaded(family: str, *, precision: str = "float32", room: int = 64 * MIB) -> Any:
    """With a store, as in a pool. Any: it does all that a promptable model does."""
    if family == "sam":
        model: Any = sam(precision=precision)
    else:
        model = load_tiny(family, PromptSegmenter, precision=precision)
    model.embeddings = EmbeddingStore(room)
    return model


@pytest.fixture(params=["sam", *POINTED_AT])
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def assert_same(found: PromptedMasks, expected: PromptedMasks) -> None:
    """Bit for bit."""
    assert found.masks == expected.masks
    np.testing.assert_array_equal(found.predicted_iou, expected.predicted_iou)
    np.testing.assert_array_equal(found.boxes, expected.boxes)


def tensors(embedding: ImageEmbedding) -> Sequence[Tensor]:
    features: Any = embedding.features
    if features is None:
        return ()
    return (features.tensor,) if hasattr(features, "tensor") else features.levels


def assert_same_features(found: ImageEmbedding, expected: ImageEmbedding) -> None:
    """Bit for bit."""
    assert found.size == expected.size
    for mine, theirs in zip(tensors(found), tensors(expected), strict=True):
        assert torch.equal(mine, theirs)


def test_further_prompts_run_no_encoder_and_change_no_mask(family: str) -> None:
    keeps, forgets = loaded(family), loaded(family, room=0)
    encoder, other_encoder = CountedEncoder(keeps), CountedEncoder(forgets)

    for prompts in PROMPTS + PROMPTS[::-1]:
        found = keeps.segment(keeps.embed(IMAGES[0]), prompts)
        assert_same(found, forgets.segment(forgets.embed(IMAGES[0]), prompts))

    assert encoder.images == 1
    assert other_encoder.images == 2 * len(PROMPTS)


def test_a_click_after_everything_runs_no_encoder(family: str) -> None:
    model = loaded(family)
    encoder = CountedEncoder(model)
    model.generate(IMAGES[0], EVERYTHING)
    before = encoder.images

    model.segment(model.embed(IMAGES[0]), PROMPTS[0])
    again = model.generate(IMAGES[0], EVERYTHING)

    assert before == encoder.images == 1
    assert len(again) > 0


def test_crops_of_everything_dont_drive_images_out(family: str) -> None:
    model = loaded(family)
    encoder = CountedEncoder(model)

    model.generate(IMAGES[0], replace(EVERYTHING, points_per_side=2, crop_n_layers=1))

    assert encoder.images == 5, "the whole picture and four crops"
    assert model.embeddings.memory_bytes == model.embed(IMAGES[0]).memory_bytes
    assert encoder.images == 5


def test_a_click_before_everything_changes_no_mask(family: str) -> None:
    asked, fresh = loaded(family), loaded(family)
    asked.segment(asked.embed(IMAGES[0]), PROMPTS[0])

    found, expected = (one.generate(IMAGES[0], EVERYTHING) for one in (asked, fresh))

    assert found.masks == expected.masks
    np.testing.assert_array_equal(found.predicted_iou, expected.predicted_iou)


def test_a_forgetful_model_neither_keeps_nor_takes(family: str) -> None:
    model = loaded(family)
    encoder = CountedEncoder(model)
    (kept,) = model.embed_all(IMAGES[:1])
    taken = model.embeddings.memory_bytes

    (found,) = model.forgetful.embed_all(IMAGES[:1])
    model.forgetful.embed_all(IMAGES[1:])
    model.forgetful.generate(IMAGES[1], EVERYTHING)

    assert_same_features(found, kept)
    assert encoder.images == 1 + len(IMAGES) + 1
    assert model.embeddings.memory_bytes == taken > 0


def test_images_together_are_those_one_by_one_on_a_cpu(family: str) -> None:
    together, alone = loaded(family, room=0), loaded(family, room=0)
    encoder = CountedEncoder(together)

    found = together.embed_all(IMAGES)

    assert encoder.passes == [1] * len(IMAGES)
    for one, image in zip(found, IMAGES, strict=True):
        assert_same_features(one, alone.embed(image))
        for prompts in PROMPTS:
            assert_same(together.segment(one, prompts), alone.segment(alone.embed(image), prompts))


def test_features_are_the_predictors_bit_for_bit() -> None:
    predictor = SamPredictor(tiny_sam())
    model = sam()

    for embedding, image in zip(model.embed_all(IMAGES), IMAGES, strict=True):
        predictor.set_image(image)

        assert torch.equal(tensors(embedding)[0], predictor.features)
        assert tuple(embedding.features.scaled) == predictor.input_size  # type: ignore[attr-defined]


def test_slivers_among_the_images_have_no_features() -> None:
    model = loaded("sam")
    encoder = CountedEncoder(model)

    found = model.embed_all([SLIVER, IMAGES[0], SLIVER, IMAGES[1]])

    assert [one.features is None for one in found] == [True, False, True, False]
    assert [one.memory_bytes > 0 for one in found] == [False, True, False, True]
    assert_same_features(found[3], sam().embed(IMAGES[1]))
    assert encoder.images == 2
    assert model.embeddings.memory_bytes == found[1].memory_bytes + found[3].memory_bytes


def on_a_card(model: Any, monkeypatch: pytest.MonkeyPatch, *, quickest: int) -> None:
    """As if so many images in a pass had been found to be the quickest there."""
    passes = model._encoder_passes
    monkeypatch.setattr(passes, "_card", "some card")
    model.batch_sizes.remember(passes._key("encoder"), quickest)


def test_on_a_card_several_images_share_a_pass(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, alone = loaded(family), loaded(family)
    on_a_card(model, monkeypatch, quickest=2)
    encoder = CountedEncoder(model)

    found = model.embed_all([*IMAGES, IMAGES[0]])

    assert encoder.passes == [2, 1]
    for one, image in zip(found, [*IMAGES, IMAGES[0]], strict=True):
        for mine, theirs in zip(tensors(one), tensors(alone.embed(image)), strict=True):
            assert mine.shape == theirs.shape
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_an_embedding_holds_no_more_memory_than_it_says(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slice of the pass's tensor would hold the whole pass."""
    model = loaded(family)
    on_a_card(model, monkeypatch, quickest=4)

    for one in model.embed_all(IMAGES):
        held = {each.untyped_storage().data_ptr(): each.untyped_storage() for each in tensors(one)}
        assert sum(storage.nbytes() for storage in held.values()) == one.memory_bytes


def test_many_images_come_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded("sam", room=0)
    on_a_card(model, monkeypatch, quickest=64)
    encoder = CountedEncoder(model)
    images = [picture(20, 30, seed=seed) for seed in range(IMAGES_PER_ENCODE + 3)]

    embeddings = model.embed_each(images)
    first = next(embeddings)

    assert encoder.passes == [IMAGES_PER_ENCODE]
    assert len([first, *embeddings]) == len(images)
    assert encoder.passes == [IMAGES_PER_ENCODE, 3]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_embedding_has_the_models_precision(family: str, precision: str) -> None:
    """In one store: the other format's isn't taken."""
    store = EmbeddingStore(64 * MIB)
    other = loaded(family, precision="bfloat16" if precision == "float32" else "float32")
    model, alone = loaded(family, precision=precision), loaded(family, precision=precision)
    other.embeddings = model.embeddings = store
    other.embed(IMAGES[0])

    assert_same_features(model.embed(IMAGES[0]), alone.embed(IMAGES[0]))


def test_a_model_without_a_pool_keeps_nothing() -> None:
    model = sam()
    encoder = CountedEncoder(model)

    model.embed(IMAGES[0])
    model.embed(IMAGES[0])

    assert encoder.images == 2
    assert model.embeddings.memory_bytes == 0


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """`cutter` and `other` to prompt, `finder` to take their place in memory."""
    for name, seed in (("cutter", 1), ("other", 2)):
        add_model(tmp_path, name, like="demo_sam", file=demo_sam_file(tmp_path, seed=seed))
    save_file(build_demo_maskrcnn(2).state_dict(), tmp_path / "d.safetensors")
    add_model(
        tmp_path, "finder", like="demo_maskrcnn", file=tmp_path / "d.safetensors", labels=("it",)
    )
    return tmp_path


def demo_sam_file(folder: Path, *, seed: int) -> Path:
    torch.manual_seed(seed)
    file = folder / f"sam-{seed}.safetensors"
    save_file(build_demo_sam().state_dict(), file)
    return file


def pool_of(models_dir: Path, **changes: Any) -> ModelPool:
    given = {"memory_bytes": 10**9, "embedding_memory_bytes": 64 * MIB} | changes
    return ModelPool(
        Catalogue.load(models_dir / "catalogue.yaml"),
        WeightsStore(models_dir),
        device="cpu",
        precision="float32",
        **given,
    )


def test_the_models_of_a_pool_share_a_store(models_dir: Path) -> None:
    pool = pool_of(models_dir)
    cutter, other = (pool.get(name, PromptSegmenter) for name in ("cutter", "other"))
    encoder = CountedEncoder(cutter)

    cutter.embed(IMAGES[0])
    other.embed(IMAGES[0])
    pool.get("cutter", PromptSegmenter).embed(IMAGES[0])

    assert cutter.embeddings is other.embeddings
    assert encoder.images == 1
    assert cutter.embeddings.memory_bytes == 2 * cutter.embed(IMAGES[0]).memory_bytes


def test_a_pool_keeps_none_unless_told(models_dir: Path) -> None:
    cutter = pool_of(models_dir, embedding_memory_bytes=0).get("cutter", PromptSegmenter)

    cutter.embed(IMAGES[0])

    assert cutter.embeddings.memory_bytes == 0


def test_replaced_weights_are_asked_anew(models_dir: Path) -> None:
    pool = pool_of(models_dir)
    before = pool.get("cutter", PromptSegmenter)
    old = before.embed(IMAGES[0])
    store = before.embeddings
    file = demo_sam_file(models_dir, seed=3)
    add_model(models_dir, "cutter", like="demo_sam", file=file)

    after = pool.get("cutter", PromptSegmenter)

    assert store.memory_bytes == 0
    encoder = CountedEncoder(after)
    new = after.embed(IMAGES[0])
    assert encoder.images == 1
    assert not torch.equal(tensors(new)[0], tensors(old)[0])
    with pytest.raises(ValueError, match="embedding of cutter"):
        after.segment(old, PROMPTS[0])


def test_embeddings_leave_with_weights_that_are_gone(models_dir: Path) -> None:
    pool = pool_of(models_dir)
    cutter = pool.get("cutter", PromptSegmenter)
    store = cutter.embeddings
    cutter.embed(IMAGES[0])
    (models_dir / pool.catalogue["cutter"].weights.file).unlink()

    with pytest.raises(WeightsMissing):
        pool.get("cutter", PromptSegmenter)

    assert store.memory_bytes == 0


def test_embeddings_leave_with_their_model(models_dir: Path) -> None:
    pool = pool_of(models_dir, memory_bytes=1)  # one model at a time
    cutter = pool.get("cutter", PromptSegmenter)
    store = cutter.embeddings
    cutter.embed(IMAGES[0])
    assert store.memory_bytes > 0

    pool.get("finder", Detector)

    assert store.memory_bytes == 0
    cutter.embed(IMAGES[0])  # by whoever still has it
    assert store.memory_bytes == 0
