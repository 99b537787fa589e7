"""A model into memory: verified weights, the family's loader, a device."""

from pathlib import Path
from typing import TypeVar

from vision.errors import InvalidRequest
from vision.models.base import Model, ModelIdentity
from vision.models.device import Placement
from vision.models.families import Loader, family_of
from vision.models.interfaces import interfaces_of
from vision.models.spec import ModelSpec
from vision.models.weights import WeightsStore

M = TypeVar("M", bound=Model)


def loader_for(spec: ModelSpec, interface: type[Model]) -> Loader:
    """Raises InvalidRequest when the model doesn't do that, MissingDependency, OperatorError."""
    if interface not in interfaces_of(spec):
        raise InvalidRequest(f"{spec.name} {interface.unable}")
    return family_of(spec).loaders[interface]


def load_model(
    spec: ModelSpec, interface: type[M], weights: WeightsStore, placement: Placement
) -> M:
    """From the verified weights. Raises WeightsMissing, WeightsMismatch, and as `loader_for`."""
    loader = loader_for(spec, interface)
    path, sha256 = weights.verified(spec)
    return model_from(spec, interface, loader, path, sha256=sha256, placement=placement)


def model_from(
    spec: ModelSpec,
    interface: type[M],
    loader: Loader,
    path: Path,
    *,
    sha256: str,
    placement: Placement,
) -> M:
    """Of weights whose hash is known already. Raises WeightsMismatch."""
    identity = ModelIdentity(spec.name, sha256, placement.device, placement.precision)
    model = loader(spec, path, identity)
    if not isinstance(model, interface):
        raise TypeError(f"{spec.family} gives a {type(model).__name__}, no {interface.__name__}")
    return model
