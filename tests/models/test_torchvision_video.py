"""torchvision's classifiers of stretches of video: its enums, and itself on the same weights."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.models
from own_models import pool_of
from seeded import picture
from settling import settle_head, settle_norms
from torch import Tensor, nn
from torchvision.models import video

from vision.domain.image import RgbImage
from vision.errors import InvalidRequest
from vision.models.adding import add_model
from vision.models.base import Classifier, ClassifyOptions, ClipClassifier
from vision.models.catalogue import listed_specs
from vision.models.families.torchvision_video import CLIP_FRAMES, build
from vision.models.listing import MIB

LISTED = sorted(name for name, spec in listed_specs().items() if spec.family == "torchvision_video")
BUILDER = "mc3_18"
LABELS = tuple(f"action {number}" for number in range(9))
FRAMES = [picture(60, 90, seed=number // 4) for number in range(16)]
ALL = ClassifyOptions(top=1000)


def test_every_builder_of_torchvision_is_listed() -> None:
    assert sorted(torchvision.models.list_models(module=video)) == LISTED == sorted(CLIP_FRAMES)


@pytest.mark.parametrize("name", LISTED)
def test_entry_says_what_the_installed_enum_says(name: str) -> None:
    spec = listed_specs()[name]
    weights = torchvision.models.get_model_weights(name).DEFAULT
    figures = weights.meta["_metrics"]["Kinetics-400"]
    transforms = weights.transforms()
    clip_frames = re.search(r"`clip_len=(\d+)`", weights.meta["_docs"])

    assert spec.weights.url == weights.url
    assert spec.weights.file.endswith(f"-{spec.weights.sha256_prefix}.pth")
    assert spec.weights.size_bytes == round(weights.meta["_file_size"] * MIB)
    assert list(spec.labels) == weights.meta["categories"]
    assert spec.metrics == {"top1": figures["acc@1"], "top5": figures["acc@5"]}
    assert clip_frames is not None
    assert int(clip_frames[1]) == CLIP_FRAMES[name]
    assert spec.input.startswith(f"{CLIP_FRAMES[name]} frames, scaled to")
    assert all(str(side) in spec.input for side in transforms.resize_size)
    assert spec.input.endswith(f"{transforms.crop_size[1]} x {transforms.crop_size[0]}")


@pytest.mark.parametrize("name", LISTED)
def test_network_has_as_many_numbers_as_the_published_file(name: str) -> None:
    meta = torchvision.models.get_model_weights(name).DEFAULT.meta

    with torch.device("meta"):
        network = build(name, num_classes=400)

    state = network.state_dict().values()
    state_mib = sum(tensor.numel() * tensor.element_size() for tensor in state) / MIB
    assert sum(parameter.numel() for parameter in network.parameters()) == meta["num_params"]
    assert 0 < meta["_file_size"] - state_mib < 0.5


def transformed(frames: list[RgbImage]) -> Tensor:
    """(1, 3, frames, height, width) by upstream's own transforms."""
    transforms = torchvision.models.get_model_weights(BUILDER).DEFAULT.transforms()
    clip = torch.tensor(np.stack(frames)).permute(0, 3, 1, 2)
    pixels: Tensor = transforms(clip)
    return pixels[None]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """With seeded weights under which stretches differ."""
    torch.manual_seed(7)
    network: nn.Module = torchvision.models.get_model(
        BUILDER, weights=None, num_classes=len(LABELS)
    )
    clips = [[picture(60, 90, seed=10 * clip + index) for index in range(4)] for clip in range(4)]
    run = partial(network, torch.cat([transformed(clip) for clip in clips]))
    settle_norms(network, run)
    settle_head(network.get_submodule("fc"), run, deviation=2.0)
    return network.eval()


@pytest.fixture(scope="module")
def models_dir(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    torch.save(network.state_dict(), place / "weights.pth")
    add_model(place, "mine", like=BUILDER, file=place / "weights.pth", labels=LABELS)
    return place


@pytest.fixture(scope="module")
def classifier(models_dir: Path) -> ClipClassifier:
    return pool_of(models_dir).get("mine", ClipClassifier)


def test_scores_are_upstreams(network: nn.Module, classifier: ClipClassifier) -> None:
    with torch.no_grad():
        scores = network(transformed(FRAMES)).softmax(1)[0].numpy()
    best = np.argsort(-scores, kind="stable")

    said = classifier.classify(FRAMES, ALL)

    assert classifier.clip_frames == len(FRAMES) == 16
    np.testing.assert_array_equal(said.class_ids, best)
    np.testing.assert_array_equal(said.scores, scores[best])
    assert said.labels == tuple(LABELS[class_id] for class_id in best)


def test_another_number_of_frames_is_taken_at_equal_steps(classifier: ClipClassifier) -> None:
    steps = np.linspace(0, 40, 16).round().astype(int)
    many = [picture(60, 90, seed=number) for number in range(41)]

    said = classifier.classify(many, ALL)
    chosen = classifier.classify([many[step] for step in steps], ALL)
    one = classifier.classify(FRAMES[:1], ALL)

    np.testing.assert_array_equal(said.scores, chosen.scores)
    np.testing.assert_array_equal(one.scores, classifier.classify(FRAMES[:1] * 16, ALL).scores)


def test_slivers_are_seen_in_their_middle(classifier: ClipClassifier) -> None:
    said = classifier.classify([picture(1, 5000)], ClassifyOptions(top=2))

    assert len(said) == 2


def test_it_classifies_no_single_pictures(models_dir: Path) -> None:
    with pytest.raises(InvalidRequest, match="doesn't classify pictures"):
        pool_of(models_dir).get("mine", Classifier)
