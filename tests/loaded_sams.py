"""The tiny promptable networks, loaded by their families' own loaders."""

import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from tiny_sams import save_edgetam, save_sam2, save_sam3, save_sam3_litetext

from vision.models.base import Model, ModelIdentity
from vision.models.catalogue import listed_specs
from vision.models.families import family_of
from vision.models.spec import ModelSpec

M = TypeVar("M", bound=Model)

SAVE: Mapping[str, Callable[[Path], None]] = {
    "sam2": save_sam2,
    "edgetam": save_edgetam,
    "sam3": save_sam3,
    "sam3_litetext": save_sam3_litetext,
}
POINTED_AT = ("sam2", "edgetam", "sam3")
"""Families that take clicks and boxes."""
NAMED = ("sam3", "sam3_litetext")
"""Families that take words and examples."""


def listed_like(family: str) -> ModelSpec:
    """The first entry of the family."""
    return next(spec for spec in listed_specs().values() if spec.family == family)


def tiny_folder(family: str) -> Path:
    """Saved once per process."""
    return Path(_saved(family).name)


def load_tiny(
    family: str, interface: type[M], *, device: str = "cpu", precision: str = "float32"
) -> M:
    spec = listed_like(family)
    loader = family_of(spec).loaders[interface]
    identity = ModelIdentity(family, "0" * 64, device, precision)
    model = loader(spec, tiny_folder(family), identity)
    assert isinstance(model, interface)
    return model


@cache
def _saved(family: str) -> Any:
    folder = tempfile.TemporaryDirectory(prefix=f"tiny-{family}-")
    SAVE[family](Path(folder.name))
    return folder
