"""What `vision bench models` measures are models of the catalogue, asked as they can be."""

from importlib import import_module
from pathlib import Path

import pytest

from vision.cli.bench.models import LIBRARIES
from vision.cli.bench.networks.contender import Contender
from vision.models.adding import add_model
from vision.models.catalogue import listed_specs
from vision.models.interfaces import interfaces_of

CONTENDERS: list[Contender] = [
    contender
    for library in LIBRARIES
    for contender in import_module(f"vision.cli.bench.networks.{library}").CONTENDERS
]


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.like)
def test_contenders_are_listed_and_do_what_they_are_asked(contender: Contender) -> None:
    for name in (contender.like, contender.on_cpu):
        assert contender.interface in interfaces_of(listed_specs()[name])


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.like)
@pytest.mark.slow
def test_seeded_weights_fit_the_listed_model(contender: Contender, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()

    spec = add_model(
        tmp_path, "seeded", like=contender.on_cpu, file=contender.seed(theirs, contender.on_cpu)
    )

    assert spec.like == contender.on_cpu
