"""torchvision's classifiers of pictures: its enums, and itself on the same weights."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.models
from own_models import pool_of
from PIL import Image
from seeded import picture
from settling import settle_head, settle_norms
from torch import Tensor, nn

from vision.domain.image import RgbImage
from vision.errors import WeightsMismatch
from vision.models.adding import add_model
from vision.models.base import Classifier, ClassifyOptions
from vision.models.catalogue import listed_specs
from vision.models.families.torchvision_classification import build
from vision.models.listing import MIB
from vision.models.torchvision_pixels import MAX_ASPECT, middle_of
from vision.pipelines.document import parse_pipeline
from vision.pipelines.image import ImagePipeline

LISTED = sorted(
    name for name, spec in listed_specs().items() if spec.family == "torchvision_classification"
)
BUILDER = "mobilenet_v3_small"
LABELS = tuple(f"class {number}" for number in range(12))
PICTURES = [picture(90, 130, seed=1), picture(300, 217, seed=2), picture(1, 1), picture(3, 40)]
ALL = ClassifyOptions(top=1000)


@pytest.mark.parametrize("name", LISTED)
def test_entry_says_what_the_installed_enum_says(name: str) -> None:
    spec = listed_specs()[name]
    weights = torchvision.models.get_model_weights(name).DEFAULT
    figures = weights.meta["_metrics"]["ImageNet-1K"]
    transforms = weights.transforms()

    assert spec.weights.url == weights.url
    assert spec.weights.file.endswith(f"-{spec.weights.sha256_prefix}.pth")
    assert spec.weights.size_bytes == round(weights.meta["_file_size"] * MIB)
    assert list(spec.labels) == weights.meta["categories"]
    assert spec.metrics == {"top1": figures["acc@1"], "top5": figures["acc@5"]}
    assert str(transforms.resize_size[0]) in spec.input
    assert f"{transforms.crop_size[0]} x {transforms.crop_size[0]}" in spec.input


@pytest.mark.parametrize("name", LISTED)
def test_network_has_as_many_numbers_as_the_published_file(name: str) -> None:
    meta = torchvision.models.get_model_weights(name).DEFAULT.meta

    with torch.device("cpu" if name.startswith("regnet") else "meta"):  # it counts in tensors
        network = build(name, num_classes=1000)

    state = network.state_dict().values()
    state_mib = sum(tensor.numel() * tensor.element_size() for tensor in state) / MIB
    assert sum(parameter.numel() for parameter in network.parameters()) == meta["num_params"]
    assert 0 < meta["_file_size"] - state_mib < 0.5


def transformed(image: RgbImage | Image.Image) -> Tensor:
    transforms = torchvision.models.get_model_weights(BUILDER).DEFAULT.transforms()
    given = image if isinstance(image, Image.Image) else torch.tensor(image).permute(2, 0, 1)
    pixels: Tensor = transforms(given)
    return pixels


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """With seeded weights under which pictures differ."""
    torch.manual_seed(7)
    network: nn.Module = torchvision.models.get_model(
        BUILDER, weights=None, num_classes=len(LABELS)
    )
    run = partial(network, torch.stack([transformed(picture(64, 96, seed=s)) for s in range(6)]))
    settle_norms(network, run)
    settle_head(network.get_submodule("classifier.3"), run, deviation=2.0)
    return network.eval()


@pytest.fixture(scope="module")
def models_dir(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    torch.save(network.state_dict(), place / "weights.pth")
    add_model(place, "mine", like=BUILDER, file=place / "weights.pth", labels=LABELS)
    return place


def upstream_scores(network: nn.Module, image: RgbImage | Image.Image) -> np.ndarray:
    with torch.no_grad():
        scores: np.ndarray = network(transformed(image)[None]).softmax(1)[0].numpy()
    return scores


def test_scores_are_upstreams(network: nn.Module, models_dir: Path) -> None:
    document = parse_pipeline({"classify": {"model": "mine", "top": 3}})

    said = [found.classes for found in ImagePipeline(document, pool_of(models_dir)).run(PICTURES)]

    for image, classes in zip(PICTURES, said, strict=True):
        scores = upstream_scores(network, image)
        best = np.argsort(-scores, kind="stable")[:3]
        assert classes is not None
        np.testing.assert_array_equal(classes.class_ids, best)
        np.testing.assert_array_equal(classes.scores, scores[best])
        assert classes.labels == tuple(LABELS[class_id] for class_id in best)


def test_pillow_pictures_score_nearly_the_same(network: nn.Module) -> None:
    """Upstream takes both; its two ways of scaling differ by rounding to whole color values."""
    image = PICTURES[1]

    np.testing.assert_allclose(
        upstream_scores(network, image),
        upstream_scores(network, Image.fromarray(image)),
        rtol=0,
        atol=0.01,
    )


def test_pictures_together_score_as_alone(models_dir: Path) -> None:
    classifier = pool_of(models_dir).get("mine", Classifier)

    together = classifier.classify(PICTURES, ALL)

    for image, classes in zip(PICTURES, together, strict=True):
        (alone,) = classifier.classify([image], ALL)
        np.testing.assert_array_equal(classes.scores, alone.scores)
        np.testing.assert_array_equal(classes.class_ids, alone.class_ids)


def test_no_pictures_have_no_classes(models_dir: Path) -> None:
    assert pool_of(models_dir).get("mine", Classifier).classify([], ALL) == []


def test_of_a_too_long_picture_the_middle_is_seen(network: nn.Module, models_dir: Path) -> None:
    image = picture(2, 5000, seed=4)
    middle = image[:, 2500 - MAX_ASPECT : 2500 + MAX_ASPECT]

    (classes,) = pool_of(models_dir).get("mine", Classifier).classify([image], ALL)

    np.testing.assert_array_equal(middle_of(image), middle)
    np.testing.assert_array_equal(
        np.sort(classes.scores), np.sort(upstream_scores(network, middle))
    )


@pytest.mark.parametrize("shape", [(16, 1), (1, 16), (160, 10), (7, 7)])
def test_of_other_pictures_all_is_seen(shape: tuple[int, int]) -> None:
    image = picture(*shape)

    np.testing.assert_array_equal(middle_of(image), image)


def test_as_many_labels_as_classes_are_needed(models_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="with 2 class ids"):
        add_model(tmp_path, "it", like=BUILDER, file=models_dir / "weights.pth", labels=("a", "b"))
