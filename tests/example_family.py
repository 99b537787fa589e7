"""The family that CONTRIBUTING.md adds by way of example, and tiny weights for it."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch
from added_family import added_family
from transformers import ConvNextImageProcessor, ConvNextV2Config, ConvNextV2ForImageClassification

from vision.models.catalogue import Catalogue
from vision.models.own_models import OWN_CATALOGUE
from vision.models.pool import ModelPool
from vision.models.weights import WeightsStore

NAME = "convnextv2"
LISTED = "convnextv2_tiny"
LABELS = ("cat", "hat", "bat")
RESTRICTED = "DINOv3 License"
"""A licence that forbids uses."""
CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"


def block(language: str) -> str:
    """The one block of CONTRIBUTING.md in that language."""
    found = re.findall(rf"```{language}\n(.*?)```", CONTRIBUTING.read_text("utf-8"), re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@contextmanager
def example_family(folder: Path, *, listed: str | None = None) -> Iterator[None]:
    """The example is part of the product meanwhile; `listed` in place of the document's block."""
    with added_family(folder, NAME, listed=listed or block("yaml"), code=block("python")):
        yield


def restricted_family(folder: Path) -> AbstractContextManager[None]:
    """The same under a licence that forbids uses."""
    listed = block("yaml").replace("license: Apache-2.0", f"license: {RESTRICTED}")
    return example_family(folder, listed=listed)


def save_tiny(folder: Path, *, seed: int = 0) -> ConvNextV2ForImageClassification:
    """A network of 7,000 numbers that tells three things apart, as `save_pretrained` leaves it."""
    torch.manual_seed(seed)
    config = ConvNextV2Config(
        hidden_sizes=[8, 8, 8, 8],
        depths=[1, 1, 1, 1],
        id2label=dict(enumerate(LABELS)),
        label2id={name: index for index, name in enumerate(LABELS)},
    )
    network = ConvNextV2ForImageClassification(config).eval()
    network.save_pretrained(folder)
    ConvNextImageProcessor(size={"shortest_edge": 32}).save_pretrained(folder)
    return network


def pool_of(models_dir: Path) -> ModelPool:
    """As a worker opens it."""
    return ModelPool(
        Catalogue.load(models_dir / OWN_CATALOGUE),
        WeightsStore(models_dir),
        device="cpu",
        precision="float32",
        memory_bytes=10**9,
    )
