"""What CONTRIBUTING.md says of adding a family: its file and its block are run as they stand."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from example_family import LABELS, LISTED, example_family, pool_of, save_tiny
from seeded import picture
from transformers import ConvNextImageProcessor

from vision.models.adding import add_model
from vision.models.base import Classifier, ClassifyOptions
from vision.models.catalogue import Catalogue, listed_specs
from vision.models.licenses import Gate


@pytest.fixture(autouse=True)
def family(tmp_path: Path) -> Iterator[None]:
    with example_family(tmp_path / "family"):
        yield


def test_block_is_a_model_of_the_catalogue() -> None:
    spec = Catalogue.load()[LISTED]

    assert (spec.family, spec.license.name, spec.license.gate) == (
        "convnextv2",
        "Apache-2.0",
        Gate.NONE,
    )
    assert spec.labels_from_config
    assert len(listed_specs()) > 17


def test_file_computes_what_upstream_computes(tmp_path: Path) -> None:
    network = save_tiny(tmp_path / "tiny")
    images = [picture(60, 80, seed=seed) for seed in range(3)]
    add_model(tmp_path / "models", "tiny", like=LISTED, file=tmp_path / "tiny")

    classifier = pool_of(tmp_path / "models").get("tiny", Classifier)
    found = classifier.classify(images, ClassifyOptions())

    processor = ConvNextImageProcessor.from_pretrained(tmp_path / "tiny")
    pixels = processor([torch.tensor(image).permute(2, 0, 1) for image in images])["pixel_values"]
    with torch.inference_mode():
        scores = network(torch.stack(list(pixels))).logits.softmax(-1).numpy()
    assert classifier.labels == LABELS
    for classes, row in zip(found, scores, strict=True):
        order = (-row).argsort()
        assert classes.labels == tuple(LABELS[index] for index in order)
        assert classes.scores == pytest.approx(row[order], abs=1e-6)
