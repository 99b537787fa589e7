"""segment-anything's mask upscaling, of cells that are known as a sum of what made them.

The first transposed convolution is linear. So the image's cells go through it once, and of each
prompt only what its tokens offered: rows, not cells. Letters in shapes are those of
`folded_attention`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import Self

import torch
from segment_anything.modeling import MaskDecoder
from torch import Tensor
from torch.nn import functional

from vision.models.folded_exchange import Exchange


@dataclass(frozen=True, slots=True, eq=False)
class Upscaling:
    """The weights of upstream's `output_upscaling`, whose activation is GELU."""

    grid: tuple[int, int]
    """Rows and columns of cells."""
    matrices: tuple[Tensor, ...]
    """(C, C) for each layer: the weights of its norm and of those after it, then the convolution.

    The convolution's outputs are 2 x 2 times C / 4.
    """
    constants: Tensor
    """(2 * layers, C): what the layers' means take away, then what their norms' biases add."""
    norm_weight: Tensor
    norm_bias: Tensor
    norm_eps: float
    second: Tensor
    """(C / 4, C / 2) of the second convolution, whose outputs are 2 x 2 times C / 8."""
    second_bias: Tensor

    @classmethod
    def of(cls, decoder: MaskDecoder, *, grid: tuple[int, int], dtype: torch.dtype) -> Self:
        """From upstream's layers."""
        first, norm, _, second, _ = decoder.output_upscaling
        matrix = _as_matrix(first.weight)
        matrices: list[Tensor] = []
        shifts: list[Tensor] = []
        for layer in reversed(decoder.transformer.layers):
            shifts.insert(0, layer.norm4.bias @ matrix)
            matrix = layer.norm4.weight[:, None] * matrix
            matrices.insert(0, matrix)
        shifts[-1] = shifts[-1] + first.bias.repeat(4)
        means = [-matrix.sum(0) for matrix in matrices]
        return cls(
            grid=grid,
            matrices=tuple(matrix.to(dtype) for matrix in matrices),
            constants=torch.stack([*means, *shifts]).to(dtype),
            norm_weight=norm.weight.detach().to(dtype, copy=True),
            norm_bias=norm.bias.detach().to(dtype, copy=True),
            norm_eps=norm.eps,
            second=_as_matrix(second.weight).to(dtype),
            second_bias=second.bias.repeat(4).to(dtype),
        )

    def image_part(self, cells: Tensor) -> Tensor:
        """(1, L, C) of an image's (1, L, C) cells."""
        return cells @ self.matrices[0]

    def token_part(self, offers: Sequence[Tensor]) -> Tensor:
        """(b, r, C) of the (b, h * n, C) offers of each layer, and constants."""
        constants = self.constants.expand(len(offers[0]), -1, -1)
        parts = [some @ matrix for some, matrix in zip(offers, self.matrices, strict=True)]
        return torch.cat([*parts, constants], 1)


def masks_drawn(
    upscaling: Upscaling,
    image_part: Tensor,
    token_part: Tensor,
    exchanges: Sequence[Exchange],
    kernels: Tensor,
) -> Tensor:
    """(b, m, 4 * rows, 4 * columns) float32 logits, by (b, m, C / 8) kernels."""
    scale, coefficients = _coefficients(exchanges)
    fourths = (scale.transpose(1, 2) * image_part).baddbmm_(
        coefficients.transpose(1, 2), token_part
    )
    sixteenths = _finer(upscaling, fourths).view(len(kernels), -1, kernels.shape[-1])
    return _in_rows(torch.bmm(kernels, sixteenths.transpose(1, 2)).float(), upscaling.grid)


def _coefficients(exchanges: Sequence[Exchange]) -> tuple[Tensor, Tensor]:
    """By how much a cell has of an image's part (b, 1, L), and of token parts (b, r, L)."""
    scales = [exchange.scale for exchange in reversed(exchanges)]
    *inner, last = accumulate(scales, mul, initial=torch.ones_like(scales[0]))
    after = inner[::-1]
    through = [last, *after[:-1]]
    weights = [some.weights * scale for some, scale in zip(exchanges, through, strict=True)]
    means = [some.mean * scale for some, scale in zip(exchanges, through, strict=True)]
    return last, torch.cat([*weights, *means, *after], 1)


def _finer(upscaling: Upscaling, fourths: Tensor) -> Tensor:
    values = fourths.view(-1, len(upscaling.norm_weight))
    values = functional.layer_norm(
        values,
        upscaling.norm_weight.shape,
        upscaling.norm_weight,
        upscaling.norm_bias,
        upscaling.norm_eps,
    )
    values = _gelu(values)
    return _gelu(torch.addmm(upscaling.second_bias, values, upscaling.second))


def _in_rows(masks: Tensor, grid: tuple[int, int]) -> Tensor:
    """Pixels (b, m, L * 16) in the order of 2 x 2 in 2 x 2 in cells, as rows of the picture."""
    b, m, _ = masks.shape
    rows, columns = grid
    # Two neighbors move as one number, which is 14 times as fast on a CPU.
    pairs = masks.view(torch.float64).view(b, m, rows, columns, 2, 2, 2)
    pairs = pairs.permute(0, 1, 2, 4, 6, 3, 5).contiguous()
    return pairs.view(torch.float32).view(b, m, 4 * rows, 4 * columns)


def _as_matrix(weight: Tensor) -> Tensor:
    """(inputs, 4 * outputs) of a 2 x 2 transposed convolution that moves by 2."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def _gelu(values: Tensor) -> Tensor:
    """In place."""
    changed: Tensor = torch.ops.aten.gelu_(values)
    return changed
