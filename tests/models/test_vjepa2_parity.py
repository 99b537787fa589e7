"""V-JEPA 2 through the catalogue, against transformers called directly on its folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from own_models import own_model
from seeded import picture
from transformers import VJEPA2ForVideoClassification, VJEPA2VideoProcessor
from vjepa2_clips import CLIP_FRAMES, NAMES, inputs_of, save_vjepa2

from vision.errors import WeightsMismatch
from vision.models.adding import add_model
from vision.models.base import ClassifyOptions, ClipClassifier, ModelIdentity
from vision.models.catalogue import listed_specs
from vision.models.families import family_of

LIKE = "vjepa2_vitl_ssv2"
FRAMES = [picture(60, 90, seed=number // 2) for number in range(CLIP_FRAMES)]
ALL = ClassifyOptions(top=1000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vjepa2(tmp_path_factory.mktemp("vjepa2") / "it")


@pytest.fixture(scope="module")
def classifier(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ClipClassifier:
    pool = own_model(tmp_path_factory.mktemp("models"), folder, like=LIKE)
    return pool.get("own", ClipClassifier)


def test_scores_are_upstreams(folder: Path, classifier: ClipClassifier) -> None:
    network = VJEPA2ForVideoClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        outputs = network(**inputs_of(VJEPA2VideoProcessor.from_pretrained(folder), FRAMES))
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
