"""Families that aren't transformers' (torchvision's, open_clip's), asked by REST: their answer."""

from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
import torchvision.models
from clips import clip
from own_models_asked import add_own, frames_of, results
from PIL import Image
from seeded import picture
from serving import Served, serving, settings_in
from settling import settle_head, settle_norms
from tiny_embedders import save_perception_encoder
from torch import Tensor, nn
from torch.nn import functional

from vision.domain.image import RgbImage
from vision.domain.mask import RleMask

IMAGE = picture(90, 130, seed=3)
LABELS = ("background", "person", "car", "dog", "sheep")
HEADS = {
    "mobilenet_v3_small": ("classifier.3",),
    "mc3_18": ("fc",),
    "lraspp_mobilenet_v3_large": ("classifier.low_classifier", "classifier.high_classifier"),
}
"""The smallest network of each family, and what says its classes."""


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    return {name: seeded(name) for name in HEADS}


@pytest.fixture(scope="module")
def perception_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_perception_encoder(tmp_path_factory.mktemp("pe") / "theirs")


@pytest.fixture(scope="module")
def served(
    networks: dict[str, nn.Module],
    perception_encoder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with serving(settings_in(folder / "data", device="cpu")) as service:
        for name, network in networks.items():
            torch.save(network.state_dict(), folder / "weights.pth")
            add_own(service, f"my-{name}", like=name, place=folder / "weights.pth", labels=LABELS)
        add_own(service, "my-pe", like="pe_core_tiny", place=perception_encoder)
        yield service


def seeded(name: str) -> nn.Module:
    """With random weights under which pictures differ."""
    torch.manual_seed(7)
    backbone = {"weights_backbone": None} if name.startswith("lraspp") else {}
    network: nn.Module = torchvision.models.get_model(
        name, weights=None, num_classes=len(LABELS), **backbone
    )
    shown = [[picture(64, 96, seed=10 * n + m) for m in range(16)] for n in range(3)]
    inputs = [prepared(name, images if name == "mc3_18" else images[:1]) for images in shown]
    run: Callable[[], Any] = partial(network, torch.cat(inputs))
    settle_norms(network, run)
    for head in HEADS[name]:
        settle_head(network.get_submodule(head), run, deviation=2.0)
    return network.eval()


def prepared(name: str, images: list[RgbImage]) -> Tensor:
    """A batch of one picture or one clip, by upstream's own transforms."""
    transforms = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    pixels = torch.tensor(np.stack(images)).permute(0, 3, 1, 2)
    batch: Tensor = transforms(pixels if name == "mc3_18" else pixels[0])[None]
    return batch


def png() -> bytes:
    file = BytesIO()
    Image.fromarray(IMAGE).save(file, "PNG")
    return file.getvalue()


def assert_best(rows: list[Any], chances: Tensor) -> None:
    """The best three."""
    scores = chances.numpy()
    best = np.argsort(-scores, kind="stable")[:3]
    assert [row["class_id"] for row in rows] == best.tolist()
    np.testing.assert_allclose([row["score"] for row in rows], scores[best], atol=2e-6)


@torch.inference_mode()
def test_classification(served: Served, networks: dict[str, nn.Module]) -> None:
    name = "mobilenet_v3_small"
    stage = {"classify": {"model": f"my-{name}", "top": 3}}

    rows = results(served, stage, "classifications", file=png())

    assert_best(rows, networks[name](prepared(name, [IMAGE])).softmax(1)[0])


@torch.inference_mode()
def test_actions(served: Served, networks: dict[str, nn.Module]) -> None:
    name, video = "mc3_18", clip(seconds=2)
    stage = {"classify": {"model": f"my-{name}", "top": 3}}

    rows = results(served, stage, "classifications", file=video)

    shown = [frame.image for frame in frames_of(served, video)]
    of_first = [row for row in rows if row["first_frame"] == 0]
    # 20 frames are one clip of the 16 that the network takes, and a rest that joins it.
    steps = np.linspace(0, len(shown) - 1, 16).round().astype(int)
    assert {row["last_frame"] for row in of_first} == {len(shown) - 1}
    assert_best(of_first, networks[name](prepared(name, [shown[n] for n in steps])).softmax(1)[0])


@torch.inference_mode()
def test_segmentation(served: Served, networks: dict[str, nn.Module]) -> None:
    name = "lraspp_mobilenet_v3_large"
    stage = {"detect": {"model": f"my-{name}", "min_score": 0.0}}

    rows = results(served, stage, "detections?include=mask", file=png())

    small = networks[name](prepared(name, [IMAGE]))["out"].softmax(1)
    size = IMAGE.shape[:2]
    chances = functional.interpolate(small, size=size, mode="bilinear", align_corners=False)
    answer = chances[0].argmax(0).numpy()
    found = {row["class_id"]: RleMask.from_json(row["mask"]) for row in rows}
    classes = set(np.unique(answer).tolist()) - {0}
    assert len(rows) == len(found) > 1
    assert found == {one: RleMask.from_bitmap(answer == one) for one in classes}


@torch.inference_mode()
def test_perception_encoder(served: Served, perception_encoder: Path) -> None:
    (row,) = results(served, {"embed": {"model": "my-pe"}}, "embeddings", file=png())

    network, prepare = open_clip.create_model_from_pretrained(f"local-dir:{perception_encoder}")
    pixels = prepare(Image.fromarray(IMAGE))[None]
    expected = network.eval().encode_image(pixels, normalize=True)[0]
    np.testing.assert_allclose(row["vector"], expected.numpy(), atol=2e-6)
