"""Tensors out of a weights file and into a network, refusing everything that isn't both whole
and fitting. No pickled code runs: safetensors, or torch's own reader of plain tensors.
"""

import pickle
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vision.errors import WeightsMismatch
from vision.models.spec import ModelSpec

State: TypeAlias = Mapping[str, Tensor]

BROKEN_FILE = (
    SafetensorError,
    pickle.UnpicklingError,
    BadZipFile,
    struct.error,
    RuntimeError,
    ValueError,
    LookupError,
    EOFError,
    OSError,
    TypeError,
    AttributeError,
)
"""What the two readers raise on files that are cut off, altered or of another kind."""
WRAPPERS = ("model", "state_dict")
"""Under these names training scripts keep the network's tensors beside the optimizer's."""
BATCH_COUNTER = "num_batches_tracked"
"""Of batch norm, for training only: some files have it, some not."""


def read_state(file: Path) -> State:
    """The tensors by name, on the CPU. Raises WeightsMismatch."""
    try:
        content = _content(file)
    except BROKEN_FILE as error:
        raise WeightsMismatch(
            f"{file.name} can't be read as weights: it is cut off, altered, or holds more than "
            "tensors (save `model.state_dict()`)"
        ) from error
    state = _unwrapped(content)
    if state is None:
        raise WeightsMismatch(f"{file.name} holds no tensors by name; save `model.state_dict()`")
    _require_finite(state, file)
    return state


def load_state(network: nn.Module, state: State, *, what: str) -> None:
    """Copy every tensor into the network. Raises WeightsMismatch unless names and shapes fit."""
    try:
        outcome = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise WeightsMismatch(f"{what}: {_shapes(error)}") from error
    missing = [name for name in outcome.missing_keys if not name.endswith(BATCH_COUNTER)]
    if missing or outcome.unexpected_keys:
        raise WeightsMismatch(
            f"{what}: the network has {_some(missing)} that the file lacks, "
            f"the file has {_some(outcome.unexpected_keys)} that the network lacks"
        )


def what_should_fit(spec: ModelSpec) -> str:
    """How a sentence begins that says why this model's weights don't fit."""
    return f"{spec.weights.file} doesn't fit {spec.builder} with {len(spec.labels)} class ids"


def memory_bytes(network: nn.Module) -> int:
    """Of all parameters and buffers."""
    tensors = (*network.parameters(), *network.buffers())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _content(file: Path) -> object:
    if file.suffix == ".safetensors":
        return load_file(file)
    with warnings.catch_warnings():
        # A newer pickle protocol is a warning to torch; to us a file is whole or refused.
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(file, map_location="cpu", weights_only=True)


def _unwrapped(content: object) -> State | None:
    for name in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping) or not content:
        return None
    fits = all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    return content if fits else None


def _require_finite(state: State, file: Path) -> None:
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise WeightsMismatch(f"{file.name}: {name} has values that are no numbers")


def _shapes(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "size mismatch" in line]
    return f"{len(lines)} tensors of another shape, such as {lines[0]}" if lines else str(error)


def _some(names: list[str]) -> str:
    return f"{len(names)} tensors (such as {names[0]})" if names else "none"
