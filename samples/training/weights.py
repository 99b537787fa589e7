"""Weights: their running average, and the half-precision file that is shipped."""

from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)

SLOWEST_DECAY = 0.998
WARM_UP_STEPS = 20


class WeightAverage:
    """An exponential average of a network's parameters and buffers."""

    def __init__(self, network: nn.Module) -> None:
        self.tensors = {name: value.clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def follow(self, network: nn.Module, step: int) -> None:
        """Moves towards the network; faster while `step` is small."""
        decay = min(SLOWEST_DECAY, (1 + step) / (WARM_UP_STEPS + step))
        current = network.state_dict()
        floating = [name for name, value in current.items() if value.is_floating_point()]
        averages = [self.tensors[name] for name in floating]
        torch._foreach_lerp_(averages, [current[name] for name in floating], 1 - decay)
        for name in current.keys() - floating:
            self.tensors[name].copy_(current[name])


def save_half(tensors: dict[str, Tensor], path: Path) -> None:
    """Writes float16 safetensors, whole or not at all; integers stay as they are."""
    halved = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in tensors.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(halved, partial)
    partial.chmod(0o644)  # safetensors makes it private; an installed package is read by others
    partial.replace(path)


def load_half(network: Network, path: Path) -> Network:
    """The network itself, with the file's weights as float32, in eval mode; names must match."""
    tensors = {
        name: value.float() if value.is_floating_point() else value
        for name, value in load_file(path).items()
    }
    network.load_state_dict(tensors)
    return network.eval()
