"""Networks with random weights, made to tell apart what they are shown: fresh ones don't."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Run = Callable[[], object]
"""A pass of something typical through the network."""


def settle_norms(network: nn.Module, run: Run) -> None:
    """Let batch norm see what comes: else the signal dies away in a deep random network."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    network.eval()
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        run()
    network.eval()


def settle_head(head: nn.Module, run: Run, *, deviation: float) -> None:
    """Move and scale each output of a linear or convolutional layer: mean 0, and this deviation."""
    seen: list[Tensor] = []
    hook = head.register_forward_hook(partial(_kept, seen))
    with torch.no_grad():
        run()
        hook.remove()
        weight, bias = head.parameters()
        rows = seen[-1].transpose(0, -1 if isinstance(head, nn.Linear) else 1).flatten(1)
        scale = deviation / rows.std(1)
        weight.mul_(scale.reshape(-1, *[1] * (weight.ndim - 1)))
        bias.sub_(rows.mean(1)).mul_(scale)


def _kept(seen: list[Tensor], _head: nn.Module, _inputs: object, output: Tensor) -> None:
    seen.append(output)
