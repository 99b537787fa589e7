"""Every model family: one file here makes the networks of the catalogue's entries that name it.

A file imports what it needs; it is imported when the first of its models is wanted, so that a
worker pays, and has to have installed, only what it runs. It defines `FAMILY`:

FAMILY = Family(loaders={Detector: load_detector}, needs=("transformers",))
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from vision.errors import MissingDependency, OperatorError
from vision.models.base import Model, ModelIdentity
from vision.models.spec import ModelSpec

Loader: TypeAlias = Callable[[ModelSpec, Path, ModelIdentity], Model]
"""From the catalogue's entry and its verified weights: a file, or a folder of several.

The model comes ready, on the identity's device. Raises WeightsMismatch when the weights don't fit.
"""


@dataclass(frozen=True, slots=True)
class Family:
    """How the models of one family come into memory."""

    loaders: Mapping[type[Model], Loader]
    """By the interface that is wanted; where one network serves several, the same function."""


def family_of(spec: ModelSpec) -> Family:
    """Raises OperatorError for one without a file, MissingDependency saying what to install."""
    module = f"{__name__}.{spec.family}"
    if importlib.util.find_spec(module) is None:
        raise OperatorError(f"{spec.name}: this version runs no family named {spec.family!r}")
    _require_installed(spec)
    family = importlib.import_module(module).FAMILY
    assert isinstance(family, Family)
    return family


def lacking_packages(spec: ModelSpec) -> tuple[str, ...]:
    """Of those that its family imports beside what every worker has, the ones that aren't here."""
    return tuple(name for name in spec.needs if importlib.util.find_spec(name) is None)


def _require_installed(spec: ModelSpec) -> None:
    lacking = lacking_packages(spec)
    if lacking:
        raise MissingDependency(
            f"{spec.name} needs {', '.join(lacking)}; "
            f"run `pip install 'vision-service[{spec.extra}]'`"
        )
