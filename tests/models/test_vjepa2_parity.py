"""V-JEPA 2 through the catalogue, against transformers called directly on its folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from seeded import picture
from settling import settle_head
from tiny_queries import own_model
from transformers import VJEPA2Config, VJEPA2ForVideoClassification, VJEPA2VideoProcessor

from vision.domain.image import RgbImage
from vision.errors import WeightsMismatch
from vision.models.adding import add_model
from vision.models.base import ClassifyOptions, ClipClassifier, ModelIdentity
from vision.models.catalogue import listed_specs
from vision.models.families import family_of

NAMES = ("pushing", "pulling", "lifting", "dropping", "turning")
LIKE = "vjepa2_vitl_ssv2"
CLIP_FRAMES = 6
FRAMES = [picture(60, 90, seed=number // 2) for number in range(CLIP_FRAMES)]
ALL = ClassifyOptions(top=1000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("vjepa2") / "it"
    torch.manual_seed(7)
    network = VJEPA2ForVideoClassification(tiny_config()).eval()
    clips = [[picture(60, 90, seed=10 * clip + index) for index in range(6)] for clip in range(4)]
    processor = VJEPA2VideoProcessor(crop_size=32)
    pixels = torch.cat([inputs(processor, clip)["pixel_values_videos"] for clip in clips])
    settle_head(network.classifier, lambda: network(pixels), deviation=2.0)
    network.save_pretrained(place)
    processor.save_pretrained(place)
    return place


def tiny_config() -> VJEPA2Config:
    return VJEPA2Config(
        crop_size=32,
        patch_size=8,
        frames_per_clip=CLIP_FRAMES,
        tubelet_size=2,
        hidden_size=48,
        num_attention_heads=2,
        num_hidden_layers=2,
        num_pooler_layers=1,
        mlp_ratio=2,
        pred_hidden_size=24,
        pred_num_attention_heads=2,
        pred_num_hidden_layers=1,
        id2label=dict(enumerate(NAMES)),
    )


def inputs(processor: VJEPA2VideoProcessor, frames: list[RgbImage]) -> dict[str, torch.Tensor]:
    clip = torch.tensor(np.stack(frames)).permute(0, 3, 1, 2)
    return dict(processor(videos=[clip], return_tensors="pt"))


@pytest.fixture(scope="module")
def classifier(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ClipClassifier:
    pool = own_model(tmp_path_factory.mktemp("models"), folder, like=LIKE)
    return pool.get("own", ClipClassifier)


def test_scores_are_upstreams(folder: Path, classifier: ClipClassifier) -> None:
    network = VJEPA2ForVideoClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        outputs = network(**inputs(VJEPA2VideoProcessor.from_pretrained(folder), FRAMES))
    scores = outputs.logits.softmax(1)[0].numpy()
    best = np.argsort(-scores, kind="stable")

    said = classifier.classify(FRAMES, ALL)

    np.testing.assert_array_equal(said.class_ids, best)
    np.testing.assert_array_equal(said.scores, scores[best])
    assert said.labels == tuple(NAMES[class_id] for class_id in best)


def test_labels_and_number_of_frames_come_from_the_folder(classifier: ClipClassifier) -> None:
    assert classifier.labels == NAMES
    assert classifier.clip_frames == CLIP_FRAMES


def test_other_frames_score_otherwise(classifier: ClipClassifier) -> None:
    said = classifier.classify(FRAMES, ALL)

    backwards = classifier.classify(FRAMES[::-1], ALL)

    assert not np.array_equal(np.sort(said.scores), np.sort(backwards.scores))


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (1, 5000), (5000, 2)])
def test_odd_frames_are_classified_too(classifier: ClipClassifier, shape: tuple[int, int]) -> None:
    said = classifier.classify([picture(*shape)], ALL)

    assert len(said) == len(NAMES)
    assert said.scores.sum() == pytest.approx(1, abs=1e-5)


def test_as_many_labels_as_classes_are_needed(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="5 classes apart, and there are 2 labels"):
        add_model(tmp_path, "it", like=LIKE, file=folder, labels=("a", "b"))


def test_reduced_precision_stays_close(folder: Path, classifier: ClipClassifier) -> None:
    spec = replace(listed_specs()[LIKE], labels=NAMES)
    load = family_of(spec).loaders[ClipClassifier]

    reduced = load(spec, folder, ModelIdentity("it", "", "cpu", "bfloat16"))

    assert isinstance(reduced, ClipClassifier)
    exact = dict(zip((said := classifier.classify(FRAMES, ALL)).labels, said.scores, strict=True))
    about = reduced.classify(FRAMES, ALL)
    assert all(
        abs(exact[label] - score) < 0.05
        for label, score in zip(about.labels, about.scores, strict=True)
    )
