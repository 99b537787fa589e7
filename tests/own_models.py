"""A user's own models in a folder, and a pool that has them."""

from pathlib import Path
from typing import Any

from vision.models.acceptances import Acceptances
from vision.models.adding import add_model
from vision.models.catalogue import Catalogue
from vision.models.pool import ModelPool
from vision.models.weights import WeightsStore


def own_model(models_dir: Path, folder: Path, *, like: str, name: str = "own") -> ModelPool:
    """A pool that has the folder as a user's own model, its licence accepted."""
    spec = add_model(models_dir, name, like=like, file=folder)
    if spec.license.is_restricted:
        Acceptances(models_dir).accept(spec, by="a test")
    return pool_of(models_dir)


def pool_of(models_dir: Path, *, memory_bytes: int = 10**9, **settings: Any) -> ModelPool:
    return ModelPool(
        Catalogue.load(models_dir / "catalogue.yaml"),
        WeightsStore(models_dir),
        device="cpu",
        precision="float32",
        memory_bytes=memory_bytes,
        **settings,
    )
