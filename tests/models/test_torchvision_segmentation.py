"""torchvision's semantic segmentation: its enums, and itself on the same weights."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.models
from own_models import pool_of
from seeded import as_pixels, picture
from settling import settle_head, settle_norms
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import segmentation

from vision.domain.detections import Detections
from vision.domain.mask import RleMask
from vision.errors import WeightsMismatch
from vision.models.adding import add_model
from vision.models.base import DetectOptions, Detector
from vision.models.catalogue import listed_specs
from vision.models.families.torchvision_segmentation import build
from vision.models.listing import MIB
from vision.pipelines.document import parse_pipeline
from vision.pipelines.image import ImagePipeline

LISTED = sorted(
    name for name, spec in listed_specs().items() if spec.family == "torchvision_segmentation"
)
RUN = ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"]
"""The small ones; the second has a second head."""
LABELS = ("__background__", "person", "car", "dog", "sheep")
SCALED = picture(100, 150, seed=1)
AS_IT_IS = picture(520, 520, seed=2)
"""Upstream scales pictures to a shorter side of 520."""
ALL = DetectOptions(min_score=0.0, max_detections=1000)


def test_every_builder_of_torchvision_is_listed() -> None:
    assert sorted(torchvision.models.list_models(module=segmentation)) == LISTED


@pytest.mark.parametrize("name", LISTED)
def test_entry_says_what_the_installed_enum_says(name: str) -> None:
    spec = listed_specs()[name]
    weights = torchvision.models.get_model_weights(name).DEFAULT

    assert spec.weights.url == weights.url
    assert spec.weights.file.endswith(f"-{spec.weights.sha256_prefix}.pth")
    assert spec.weights.size_bytes == round(weights.meta["_file_size"] * MIB)
    assert list(spec.labels) == weights.meta["categories"]
    assert spec.metrics == weights.meta["_metrics"]["COCO-val2017-VOC-labels"]
    assert str(weights.transforms().resize_size[0]) in spec.input


@pytest.mark.parametrize("name", LISTED)
def test_network_has_as_many_numbers_as_the_published_file(name: str) -> None:
    meta = torchvision.models.get_model_weights(name).DEFAULT.meta

    with torch.device("meta"):
        network = build(name, num_classes=21, has_second_head=not name.startswith("lraspp"))

    state = network.state_dict().values()
    state_mib = sum(tensor.numel() * tensor.element_size() for tensor in state) / MIB
    assert sum(parameter.numel() for parameter in network.parameters()) == meta["num_params"]
    assert 0 < meta["_file_size"] - state_mib < 0.5


def upstream(builder: str) -> nn.Module:
    """With seeded weights under which every class is somewhere."""
    torch.manual_seed(7)
    second = {} if builder.startswith("lraspp") else {"aux_loss": True}
    network: nn.Module = getattr(segmentation, builder)(
        weights=None, weights_backbone=None, num_classes=len(LABELS), **second
    )
    small = torch.stack([as_pixels(picture(100, 150, seed=seed)) * 4 - 2 for seed in (1, 2)])
    inputs = functional.interpolate(small, scale_factor=3.0, mode="bilinear")
    run = partial(network, inputs)
    settle_norms(network, run)
    lraspp = builder.startswith("lraspp")
    heads = ("classifier.low_classifier", "classifier.high_classifier")
    for head in heads if lraspp else ("classifier.4",):
        settle_head(network.get_submodule(head), run, deviation=2.0)
    return network.eval()


def transformed(builder: str, image: np.ndarray) -> Tensor:
    transforms = torchvision.models.get_model_weights(builder).DEFAULT.transforms()
    pixels: Tensor = transforms(torch.tensor(image).permute(2, 0, 1))
    return pixels


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    return {builder: upstream(builder) for builder in RUN}


@pytest.fixture(scope="module")
def models_dir(networks: dict[str, nn.Module], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    for builder, network in networks.items():
        torch.save(network.state_dict(), place / "weights.pth")
        add_model(place, f"my-{builder}", like=builder, file=place / "weights.pth", labels=LABELS)
    return place


def expected(network: nn.Module, builder: str, image: np.ndarray) -> Tensor:
    """Upstream's probabilities, (classes, height, width) of the picture."""
    with torch.no_grad():
        chances = network(transformed(builder, image)[None])["out"].softmax(1)
    size = image.shape[:2]
    return functional.interpolate(chances, size=size, mode="bilinear", align_corners=False)[0]


@pytest.mark.parametrize("builder", RUN)
@pytest.mark.parametrize("image", [SCALED, AS_IT_IS], ids=["scaled", "as it is"])
def test_regions_are_upstreams(
    networks: dict[str, nn.Module], models_dir: Path, builder: str, image: np.ndarray
) -> None:
    chances = expected(networks[builder], builder, image)
    answer = chances.argmax(0)
    document = parse_pipeline({"detect": {"model": f"my-{builder}", "min_score": 0.0}})

    rows: Detections = ImagePipeline(document, pool_of(models_dir)).run([image])[0].detections

    assert len(rows) > 1
    assert sorted(rows.class_ids) == [one for one in answer.unique().tolist() if one != 0]
    for row in rows:
        inside = answer == row.class_id
        assert row.mask == RleMask.from_bitmap(inside.numpy())
        assert row.score == pytest.approx(chances[row.class_id][inside].mean().item(), abs=1e-5)
        ys, xs = np.nonzero(inside.numpy())
        assert row.box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


def test_an_unscaled_picture_gives_upstreams_own_argmax(
    networks: dict[str, nn.Module], models_dir: Path
) -> None:
    detector = pool_of(models_dir).get(f"my-{RUN[0]}", Detector)
    with torch.no_grad():
        logits = networks[RUN[0]](transformed(RUN[0], AS_IT_IS)[None])["out"][0]

    rows = detector.detect([AS_IT_IS], ALL)[0]

    for row in rows:
        assert row.mask == RleMask.from_bitmap((logits.argmax(0) == row.class_id).numpy())


def test_a_picture_gives_the_same_in_any_company(models_dir: Path) -> None:
    detector = pool_of(models_dir).get(f"my-{RUN[0]}", Detector)
    pictures = [SCALED, picture(77, 50, seed=3), SCALED, picture(1, 1)]

    together = detector.detect(pictures, ALL)

    for rows, image in zip(together, pictures, strict=True):
        alone = detector.detect([image], ALL)[0]
        np.testing.assert_array_equal(rows.scores, alone.scores)
        assert rows.masks == alone.masks


def test_limits_are_kept(models_dir: Path) -> None:
    detector = pool_of(models_dir).get(f"my-{RUN[0]}", Detector)
    every = detector.detect([SCALED], ALL)[0]

    one = detector.detect([SCALED], DetectOptions(0.0, frozenset({every.labels[1]}), 9))[0]

    assert one.labels == every.labels[1:2]
    assert every.scores is not None
    assert (np.diff(every.scores) <= 0).all()
    assert "__background__" not in every.labels


def test_slivers_have_nothing_and_cost_nothing(models_dir: Path) -> None:
    detector = pool_of(models_dir).get(f"my-{RUN[0]}", Detector)

    rows = detector.detect([picture(1, 5000), picture(5000, 1)], ALL)

    assert [len(one) for one in rows] == [0, 0]


def test_as_many_labels_as_classes_are_needed(models_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="with 2 class ids"):
        add_model(tmp_path, "it", like=RUN[1], file=models_dir / "weights.pth", labels=("a", "b"))
