"""What a layer of the folded transformer does to the cells of some prompts.

With the upscaling, these steps take nearly all the time. Letters in shapes are those of
`folded_attention`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vision.models.folded_attention import Rows, compared, looked, over_tokens, per_head


@dataclass(frozen=True, slots=True, eq=False)
class Talk:
    """What the tokens of b prompts say in a layer."""

    keys: Rows
    """By which the cells weigh the tokens."""
    offers: Tensor
    """(b, h * n, C), of which the cells get as much as they weigh the tokens."""
    questions: Rows
    """By which the next tokens weigh the cells that come of it; only `m` of the `n` may ask."""

    def parts(self, at_once: int) -> "list[Talk]":
        """That of the first `at_once` prompts, of the next, and so on."""
        starts = range(0, len(self.offers), at_once)
        return [self._of_prompts(slice(start, start + at_once)) for start in starts]

    def _of_prompts(self, some: slice) -> "Talk":
        return Talk(self.keys.of_prompts(some), self.offers[some], self.questions.of_prompts(some))


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """How cells came of the former ones: (cells + weights.T @ offers - mean) * scale.

    Then their norm multiplies by its weight and adds its bias.
    """

    weights: Tensor
    """(b, h * n, L): those of a cell sum to 1 in each head."""
    mean: Tensor
    """(b, 1, L)"""
    scale: Tensor
    """(b, 1, L)"""

    def of_prompts(self, some: Tensor) -> "Exchange":
        """That of some of the b prompts, by their (k,) int64 numbers."""
        return Exchange(self.weights[some], self.mean[some], self.scale[some])


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What is there after a layer."""

    cells: Tensor
    """(b, L, C)"""
    seen: Tensor
    """(b, h * m, C), what the questions saw in these cells."""
    exchange: Exchange


def first_step(
    cells: Tensor, places: Tensor, talk: Talk, norm: nn.LayerNorm, next_places: Tensor
) -> Outcome:
    """From (1, L, C) cells that all prompts share; `places` are queries of cells and codes."""
    keys = talk.keys.by_head
    weights = over_tokens(per_head(keys, places), keys.shape[1])
    shared = cells.expand(len(keys), -1, -1)
    mixed = torch.baddbmm(shared, weights.transpose(1, 2), talk.offers)
    return _outcome(mixed, weights, talk.questions, norm, next_places)


def later_step(
    cells: Tensor, places: Tensor, talk: Talk, norm: nn.LayerNorm, next_places: Tensor
) -> Outcome:
    """From (b, L, C) cells, which are used up; `places` are queries of the codes alone."""
    weights = over_tokens(compared(talk.keys, cells, places), len(places))
    mixed = cells.baddbmm_(weights.transpose(1, 2), talk.offers)
    return _outcome(mixed, weights, talk.questions, norm, next_places)


def _outcome(
    mixed: Tensor, weights: Tensor, questions: Rows, norm: nn.LayerNorm, places: Tensor
) -> Outcome:
    cells, mean, scale = torch.native_layer_norm(
        mixed, norm.normalized_shape, norm.weight, norm.bias, norm.eps
    )
    # On a GPU a norm in bfloat16 has its two numbers in float32.
    mean, scale = (number.to(cells.dtype).transpose(1, 2) for number in (mean, scale))
    return Outcome(cells, looked(questions, cells, places), Exchange(weights, mean, scale))
