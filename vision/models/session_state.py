"""A session's tensors and their arrangement as bytes: safetensors and JSON, nothing that runs."""

import json
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor


def packed(arrangement: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    """A line of JSON, then the tensors as they are, bfloat16 included."""
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    return json.dumps(arrangement).encode() + b"\n" + save(contiguous)


def unpacked(state: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What `packed` was given, on the CPU. Raises ValueError for anything else."""
    head, _, body = state.partition(b"\n")
    arrangement = json.loads(head)
    if not isinstance(arrangement, dict):
        raise ValueError("the saved session has no arrangement")
    try:
        return arrangement, load(body)
    except SafetensorError as error:
        raise ValueError(f"the saved session's tensors can't be read: {error}") from error
