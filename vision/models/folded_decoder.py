"""segment-anything's mask decoder for prompts of few tokens: the same masks, much faster.

    decoder = FoldedDecoder(network)
    image = decoder.image_side(features)
    decoded = decoder.decode(image, sparse, several=True, min_iou=0.88)

The algebra and the measurements: `docs/decisions/0012-folded-decoder.md`. Letters in shapes:
n prompts of t tokens, C channels, m masks for each prompt, h x w cells of the image.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from segment_anything.modeling import Sam
from torch import Tensor

from vision.models.folded_exchange import Exchange
from vision.models.folded_outputs import Outputs
from vision.models.folded_steps import AS_THEY_ARE, Steps, compiled_steps
from vision.models.folded_transformer import FirstLayer, FoldedTransformer, Transformed
from vision.models.folded_upscaling import Upscaling

CELL_VALUES_AT_ONCE = 2**20
"""On a CPU: 4 MB of float32, which stay in its cache. One prompt of sam_vit_*."""
MOST_AT_ONCE = 32
"""Prompts whose cells go together on a CPU, however small their network."""
BATCH = 4
"""How many times as many prompts have their tokens together: those of one are too few rows.

8 would be 1 % faster for twice the memory.
"""
MOST_TOGETHER = 64
"""Prompts whose tokens go together; on a GPU their cells as well, 256 MB for sam_vit_*."""
PIXELS_ACROSS = 4
"""In a mask, of one cell."""
COMPILED_TOKENS = 2
"""One click, or one box. Prompts of another length aren't worth compiling everything again."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageSide:
    """What is computed once for an image; only for the decoder that made it."""

    first_layer: FirstLayer
    upscaled: Tensor
    """(1, h * w, C): the image's part in the first upscaling."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What the decoder says to n prompts, of which k are kept."""

    low: Tensor
    """(k, m, 4 * h, 4 * w) float32 mask logits of the kept."""
    predicted_iou: Tensor
    """(n, m) float32 of all."""
    prompts: Tensor
    """(k,) int64 numbers of the kept, ascending."""


class FoldedDecoder:
    """Upstream's `MaskDecoder` with a copy of a network's weights, without mask prompts."""

    def __init__(
        self, network: Sam, *, dtype: torch.dtype = torch.float32, is_compiled: bool = False
    ) -> None:
        """Computes in `dtype`, where the network is. Raises MissingDependency when `is_compiled`.

        Compiled are prompts of two tokens, when the first of them come.
        """
        encoder, decoder = network.prompt_encoder, network.mask_decoder
        masks = range(decoder.num_mask_tokens)
        self._dtype = dtype
        with torch.no_grad():
            codes = encoder.get_dense_pe()[0].flatten(1).T
            self._no_mask = encoder.no_mask_embed.weight.clone()
            self._transformer = FoldedTransformer(decoder.transformer, codes, dtype=dtype)
            self._upscaling = Upscaling.of(decoder, grid=encoder.image_embedding_size, dtype=dtype)
            self._several = Outputs(decoder, masks[1:], dtype=dtype)
            self._single = Outputs(decoder, masks[:1], dtype=dtype)
        self._at_once = _cells_at_once(codes)
        self._compiled = compiled_steps(codes.device, self._at_once) if is_compiled else AS_THEY_ARE

    @torch.inference_mode()
    def image_side(self, features: Tensor) -> ImageSide:
        """Of a (1, C, h, w) float32 image embedding."""
        cells = features.flatten(2).transpose(1, 2) + self._no_mask
        cells = cells.to(self._dtype).contiguous()
        return ImageSide(self._transformer.first_layer(cells), self._upscaling.image_part(cells))

    @torch.inference_mode()
    def decode(
        self, image: ImageSide, sparse: Tensor, *, several: bool, min_iou: float | None
    ) -> Decoded:
        """Of (n, t, C) float32 sparse embeddings of prompts; `several` masks each, or one.

        Kept are prompts with a mask of more than `min_iou` predicted IoU; None keeps all.
        """
        outputs = self._several if several else self._single
        parts = [self._nothing(outputs, sparse.device)]
        together = min(self._at_once * BATCH, MOST_TOGETHER)
        for start in range(0, len(sparse), together):
            some = sparse[start : start + together]
            parts += self._decoded(image, some, outputs, min_iou=min_iou)
        return _joined(parts)

    def _decoded(
        self, image: ImageSide, sparse: Tensor, outputs: Outputs, *, min_iou: float | None
    ) -> Iterator[Decoded]:
        """One for each prompts whose cells go together."""
        steps = self._compiled if sparse.shape[1] == COMPILED_TOKENS else AS_THEY_ARE
        tokens = outputs.before(steps.filled(sparse).to(self._dtype))
        transformed = self._transformer(
            image.first_layer, tokens, wanted=outputs.wanted, at_once=self._at_once, steps=steps
        )
        predicted_iou = outputs.predicted_iou(transformed.tokens)[: len(sparse)]
        kernels = outputs.kernels(transformed.tokens)
        for part in range(len(transformed.exchanges)):
            start = part * self._at_once
            of_part = predicted_iou[start : start + self._at_once]
            kept = _kept(of_part, min_iou)
            low = self._drawn(image, transformed, kernels, part=part, kept=kept, steps=steps)
            yield Decoded(low, of_part, kept)

    def _drawn(
        self,
        image: ImageSide,
        transformed: Transformed,
        kernels: Tensor,
        *,
        part: int,
        kept: Tensor,
        steps: Steps,
    ) -> Tensor:
        """Masks of the kept ones among the prompts whose cells went together."""
        if not len(kept):
            return kernels.new_empty((0, kernels.shape[1], *self._mask_shape), dtype=torch.float32)
        exchanges: Sequence[Exchange] = transformed.exchanges[part]
        chosen = steps.filled(kept)
        if len(kept) < len(exchanges[0].weights):
            exchanges = [exchange.of_prompts(chosen) for exchange in exchanges]
        numbers = chosen + part * self._at_once
        token_part = self._upscaling.token_part([some[numbers] for some in transformed.offers])
        masks = steps.draw(self._upscaling, image.upscaled, token_part, exchanges, kernels[numbers])
        return masks[: len(kept)]

    @property
    def _mask_shape(self) -> tuple[int, int]:
        rows, columns = self._upscaling.grid
        return PIXELS_ACROSS * rows, PIXELS_ACROSS * columns

    def _nothing(self, outputs: Outputs, device: torch.device) -> Decoded:
        """Of no prompts: so that there is always something to join."""
        masks = len(outputs.masks)
        return Decoded(
            low=torch.empty(0, masks, *self._mask_shape, device=device),
            predicted_iou=torch.empty(0, masks, device=device),
            prompts=torch.empty(0, dtype=torch.int64, device=device),
        )


def _cells_at_once(codes: Tensor) -> int:
    if codes.device.type == "cuda":
        return MOST_TOGETHER
    return min(max(CELL_VALUES_AT_ONCE // codes.numel(), 1), MOST_AT_ONCE)


def _kept(predicted_iou: Tensor, min_iou: float | None) -> Tensor:
    """(k,) int64 numbers of (n, m) rows; on a GPU this waits for them if there is a threshold."""
    if min_iou is None:
        return torch.arange(len(predicted_iou), device=predicted_iou.device)
    return (predicted_iou > min_iou).any(1).nonzero()[:, 0]


def _joined(decoded: Sequence[Decoded]) -> Decoded:
    starts = accumulate((len(some.predicted_iou) for some in decoded), initial=0)
    prompts = [some.prompts + start for some, start in zip(decoded, starts, strict=False)]
    return Decoded(
        low=torch.cat([some.low for some in decoded]),
        predicted_iou=torch.cat([some.predicted_iou for some in decoded]),
        prompts=torch.cat(prompts),
    )
