"""The two cross attentions of segment-anything's mask decoder, folded onto the prompts' few tokens.

Upstream projects every cell of the image for every prompt. With few tokens it is cheaper to
project the tokens back to the width of the cells and to compare there:
`q @ (cells @ weight).T == (q @ weight.T) @ cells.T`. `docs/decisions/0012-folded-decoder.md` has
the algebra.

Letters in shapes: b prompts of n tokens, h heads of d channels, L cells and tokens of C channels.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from segment_anything.modeling.transformer import Attention
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What tokens are to cells: one row for each head and token."""

    by_head: Tensor
    """(b, h, n, d), to be compared with what is projected already: position codes."""
    folded: Tensor
    """(b, h * n, C), to be compared with cells as they are."""

    def of_prompts(self, some: slice) -> "Rows":
        """Those of some of the b prompts."""
        return Rows(self.by_head[some], self.folded[some])


@dataclass(frozen=True, slots=True, eq=False)
class TokensToCells:
    """Tokens look at cells: upstream's attention from tokens to the image.

    The key bias is missing: it moves all logits of a token alike, which softmax doesn't see.
    """

    query_weight: Tensor
    """(h * d, C), as the bias divided by the square root of d."""
    query_bias: Tensor
    key_weight: Tensor
    """(h, d, C)"""
    value_weight: Tensor
    """(h, C, d)"""
    out_weight: Tensor
    out_bias: Tensor
    """(C,), the value bias in it: what a token gives to the cells sums to 1."""
    places: Tensor
    """(h, d, L): keys of the position codes alone."""

    @classmethod
    def of(cls, attention: Attention, codes: Tensor) -> Self:
        """From upstream's layer and (L, C) position codes."""
        heads, scale, out = attention.num_heads, _scale(attention), attention.out_proj
        key_weight, value_weight = attention.k_proj.weight, attention.v_proj.weight
        return cls(
            query_weight=attention.q_proj.weight * scale,
            query_bias=attention.q_proj.bias * scale,
            key_weight=_by_head(key_weight, heads),
            value_weight=_by_head(value_weight, heads).transpose(1, 2).contiguous(),
            out_weight=out.weight,
            out_bias=out.bias + out.weight @ attention.v_proj.bias,
            places=_by_head(key_weight @ codes.T, heads),
        )

    def cast(self, dtype: torch.dtype) -> Self:
        """The same weights as other numbers."""
        return replace(self, **_cast_fields(self, dtype))

    def queries(self, placed: Tensor) -> Tensor:
        """(b, h, n, d) of (b, n, C) tokens with their own codes."""
        projected = functional.linear(placed, self.query_weight, self.query_bias)
        return _split_heads(projected, len(self.key_weight))

    def rows(self, placed: Tensor) -> Rows:
        """Of (b, n, C) tokens with their own codes."""
        queries = self.queries(placed)
        return Rows(queries, per_head(queries, self.key_weight))

    def first_answers(self, placed: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(b, n, C) from (h, L, d) keys and values, which all prompts share."""
        queries = self.queries(placed)
        b, h, n, d = queries.shape
        asking = queries.transpose(0, 1).reshape(1, h, b * n, d)
        seen = functional.scaled_dot_product_attention(asking, keys[None], values[None], scale=1.0)
        return self._joined(seen.view(h, b, n, d).permute(1, 2, 0, 3))

    def answers(self, seen: Tensor) -> Tensor:
        """(b, n, C) from the (b, h * n, C) that `looked` gives."""
        by_head = _rows_by_head(seen, len(self.value_weight))
        values = per_head(by_head, self.value_weight)
        return self._joined(values.view(*by_head.shape[:3], -1).transpose(1, 2))

    def _joined(self, values: Tensor) -> Tensor:
        """(b, n, C) from (b, n, h, d)."""
        return functional.linear(values.flatten(2), self.out_weight, self.out_bias)


@dataclass(frozen=True, slots=True, eq=False)
class CellsToTokens:
    """Cells look at tokens: upstream's attention from the image to tokens.

    The key bias is missing: it moves all logits of a cell alike, which softmax doesn't see.
    """

    key_weight: Tensor
    """(h * d, C), divided by the square root of d."""
    query_weight: Tensor
    """(h, d, C)"""
    value_weight: Tensor
    value_bias: Tensor
    out_weight: Tensor
    """(h, d, C)"""
    out_bias: Tensor
    """(C,), divided by h: what a cell gives to the tokens sums to 1 in each head."""
    places: Tensor
    """(h, d, L): queries of the position codes alone, the bias in them."""

    @classmethod
    def of(cls, attention: Attention, codes: Tensor) -> Self:
        """From upstream's layer and (L, C) position codes."""
        heads, query, out = attention.num_heads, attention.q_proj, attention.out_proj
        return cls(
            key_weight=attention.k_proj.weight * _scale(attention),
            query_weight=_by_head(query.weight, heads),
            value_weight=attention.v_proj.weight,
            value_bias=attention.v_proj.bias,
            out_weight=_by_head(out.weight.T, heads).contiguous(),
            out_bias=out.bias / heads,
            places=_by_head(query.weight @ codes.T + query.bias[:, None], heads),
        )

    def cast(self, dtype: torch.dtype) -> Self:
        """The same weights as other numbers."""
        return replace(self, **_cast_fields(self, dtype))

    def keys(self, placed: Tensor) -> Tensor:
        """(b, h, n, d) of (b, n, C) tokens with their own codes."""
        return _split_heads(functional.linear(placed, self.key_weight), len(self.query_weight))

    def rows(self, placed: Tensor) -> Rows:
        """Of (b, n, C) tokens with their own codes."""
        keys = self.keys(placed)
        return Rows(keys, per_head(keys, self.query_weight))

    def offers(self, tokens: Tensor) -> Tensor:
        """(b, h * n, C): what a cell gets that looks at one of (b, n, C) tokens alone."""
        values = functional.linear(tokens, self.value_weight, self.value_bias)
        by_head = _split_heads(values, len(self.out_weight))
        return per_head(by_head, self.out_weight) + self.out_bias


def per_head(tokens: Tensor, matrices: Tensor) -> Tensor:
    """(b, h * n, m) from (b, h, n, d) and a (d, m) matrix for each head."""
    b, h, n, d = tokens.shape
    # One product for all prompts of a head: matmul would copy the matrices for each prompt.
    product = tokens.transpose(0, 1).reshape(h, b * n, d) @ matrices
    return product.view(h, b, n, -1).transpose(0, 1).reshape(b, h * n, -1)


def compared(rows: Rows, cells: Tensor, places: Tensor) -> Tensor:
    """(b, h * n, L) logits of (b, L, C) cells at (h, d, L) places."""
    return per_head(rows.by_head, places).baddbmm_(rows.folded, cells.transpose(1, 2))


def over_tokens(logits: Tensor, heads: int) -> Tensor:
    """(b, h * n, L) weights of tokens, from logits: those of a cell sum to 1 in each head."""
    # The cells lie side by side: softmax of (L, h, n) takes 20 times as long on a CPU.
    return torch.softmax(_rows_by_head(logits, heads), 2).flatten(1, 2)


def looked(rows: Rows, cells: Tensor, places: Tensor) -> Tensor:
    """(b, h * n, C): the mean of the (b, L, C) cells as each row weighs them."""
    return torch.bmm(torch.softmax(compared(rows, cells, places), -1), cells)


def _split_heads(tokens: Tensor, heads: int) -> Tensor:
    return tokens.view(*tokens.shape[:2], heads, -1).transpose(1, 2)


def _by_head(matrix: Tensor, heads: int) -> Tensor:
    return matrix.reshape(heads, -1, matrix.shape[1])


def _rows_by_head(rows: Tensor, heads: int) -> Tensor:
    """(b, h, n, m) from (b, h * n, m)."""
    return rows.view(len(rows), heads, -1, rows.shape[-1])


def _scale(attention: Attention) -> float:
    return 1 / math.sqrt(attention.internal_dim // attention.num_heads)


def _cast_fields(weights: TokensToCells | CellsToTokens, dtype: torch.dtype) -> dict[str, Tensor]:
    # A copy each: what is folded must not follow a network whose weights change later.
    return {
        field.name: getattr(weights, field.name).detach().to(dtype, copy=True)
        for field in fields(weights)
    }
