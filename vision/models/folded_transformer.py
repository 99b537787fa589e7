"""segment-anything's two-way transformer, with the image's side folded onto the tokens.

The tokens of a batch of prompts go together; the cells go some prompts at a time, as many as stay
in a processor's cache. Letters in shapes are those of `folded_attention`.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from segment_anything.modeling import TwoWayTransformer
from torch import Tensor

from vision.models.folded_attention import CellsToTokens, TokensToCells
from vision.models.folded_exchange import Exchange, Outcome, Talk
from vision.models.folded_steps import Steps


@dataclass(frozen=True, slots=True, eq=False)
class FirstLayer:
    """What the first layer asks of an image: the same for all prompts."""

    cells: Tensor
    """(1, L, C)"""
    keys: Tensor
    """(h, L, d), of the cells and their codes."""
    values: Tensor
    """(h, L, d)"""
    queries: Tensor
    """(h, d, L), of the cells and their codes."""


@dataclass(frozen=True, slots=True, eq=False)
class Transformed:
    """What the transformer makes of b prompts."""

    tokens: Tensor
    """(b, m, C), the wanted ones."""
    offers: tuple[Tensor, ...]
    """(b, h * n, C) of each layer."""
    exchanges: tuple[tuple[Exchange, ...], ...]
    """One of each layer, for each `at_once` prompts."""


class FoldedTransformer:
    """Upstream's `TwoWayTransformer` with a copy of its weights."""

    def __init__(
        self, transformer: TwoWayTransformer, codes: Tensor, *, dtype: torch.dtype
    ) -> None:
        """`codes` are the (L, C) position codes."""
        own = deepcopy(transformer).to(dtype).requires_grad_(False)
        self._layers = list(own.layers)
        self._answer_norms = [*(layer.norm2 for layer in own.layers), own.norm_final_attn]
        layers = transformer.layers
        looks = [layer.cross_attn_token_to_image for layer in layers]
        looks.append(transformer.final_attn_token_to_image)
        shows = [layer.cross_attn_image_to_token for layer in layers]
        self._looks = [TokensToCells.of(look, codes).cast(dtype) for look in looks]
        self._shows = [CellsToTokens.of(show, codes).cast(dtype) for show in shows]

    def first_layer(self, cells: Tensor) -> FirstLayer:
        """Of (1, L, C) cells."""
        look, show = self._looks[0], self._shows[0]
        columns = cells[0].T
        keys = look.key_weight @ columns + look.places
        return FirstLayer(
            cells=cells,
            keys=keys.transpose(1, 2).contiguous(),
            values=cells[0] @ look.value_weight,
            queries=show.query_weight @ columns + show.places,
        )

    def __call__(
        self, image: FirstLayer, tokens: Tensor, *, wanted: int, at_once: int, steps: Steps
    ) -> Transformed:
        """Of (b, n, C) tokens, the first `wanted` of them; cells of `at_once` prompts together."""
        now = self._after_first_look(image, tokens)
        cells = [image.cells for _ in range(0, len(tokens), at_once)]
        offers: list[Tensor] = []
        exchanges: list[list[Exchange]] = []
        for index in range(len(self._layers)):
            talk, now = self._talk(index, now, tokens, wanted=wanted)
            step = self._step(index, image, steps)
            outcomes = list(map(step, cells, talk.parts(at_once)))
            now = self._answered(index + 1, now, torch.cat([some.seen for some in outcomes]))
            cells = [some.cells for some in outcomes]
            offers.append(talk.offers)
            exchanges.append([some.exchange for some in outcomes])
        return Transformed(now, tuple(offers), tuple(zip(*exchanges, strict=True)))

    def _after_first_look(self, image: FirstLayer, tokens: Tensor) -> Tensor:
        now = self._among_themselves(0, tokens, tokens)
        answers = self._looks[0].first_answers(now + tokens, image.keys, image.values)
        after: Tensor = self._answer_norms[0](now + answers)
        return after

    def _talk(self, index: int, now: Tensor, tokens: Tensor, *, wanted: int) -> tuple[Talk, Tensor]:
        """What the tokens say in a layer, and the tokens that wait for an answer."""
        layer, show, next_look = self._layers[index], self._shows[index], self._looks[index + 1]
        now = layer.norm3(now + layer.mlp(now))
        keys, offers = show.rows(now + tokens), show.offers(now)
        is_last = index + 1 == len(self._layers)
        now = now[:, :wanted] if is_last else self._among_themselves(index + 1, now, tokens)
        questions = next_look.rows(now + tokens[:, : now.shape[1]])
        return Talk(keys, offers, questions), now

    def _step(
        self, index: int, image: FirstLayer, steps: Steps
    ) -> Callable[[Tensor, Talk], Outcome]:
        norm, next_places = self._layers[index].norm4, self._looks[index + 1].places
        if index == 0:
            return lambda cells, talk: steps.first(cells, image.queries, talk, norm, next_places)
        places = self._shows[index].places
        return lambda cells, talk: steps.later(cells, places, talk, norm, next_places)

    def _among_themselves(self, index: int, now: Tensor, tokens: Tensor) -> Tensor:
        """After the tokens' self-attention, in which the first layer has neither codes nor sum."""
        layer = self._layers[index]
        placed = now if layer.skip_first_layer_pe else now + tokens
        told = layer.self_attn(q=placed, k=placed, v=now)
        after: Tensor = layer.norm1(told if layer.skip_first_layer_pe else now + told)
        return after

    def _answered(self, index: int, now: Tensor, seen: Tensor) -> Tensor:
        after: Tensor = self._answer_norms[index](now + self._looks[index].answers(seen))
        return after
