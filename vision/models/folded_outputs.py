"""What segment-anything's mask decoder gives for the tokens of one choice of its masks."""

from copy import deepcopy

import torch
from segment_anything.modeling import MaskDecoder
from torch import Tensor


class Outputs:
    """The output tokens and the small networks behind them, for some masks of the decoder.

    Letters in shapes are those of `folded_attention`; m is the number of masks.
    """

    def __init__(self, decoder: MaskDecoder, masks: range, *, dtype: torch.dtype) -> None:
        """`masks` are numbers of the decoder's mask tokens, upstream's 0 or 1 to 3."""
        others = [number for number in range(decoder.num_mask_tokens) if number not in masks]
        mask_tokens = decoder.mask_tokens.weight[[*masks, *others]]
        self._tokens = torch.cat([decoder.iou_token.weight, mask_tokens]).to(dtype)
        self.masks = masks
        self._iou_head = deepcopy(decoder.iou_prediction_head).to(dtype).requires_grad_(False)
        networks = [decoder.output_hypernetworks_mlps[number] for number in masks]
        layers = zip(*(network.layers for network in networks), strict=True)
        self._layers = [
            (
                torch.stack([layer.weight.T for layer in same]).to(dtype),
                torch.stack([layer.bias[None] for layer in same]).to(dtype),
            )
            for same in layers
        ]

    @property
    def wanted(self) -> int:
        """How many of the tokens are asked at the end: these are the first."""
        return 1 + len(self.masks)

    def before(self, sparse: Tensor) -> Tensor:
        """(b, n, C): the output tokens, then those of the (b, t, C) prompts."""
        return torch.cat([self._tokens.expand(len(sparse), -1, -1), sparse], 1)

    def predicted_iou(self, tokens: Tensor) -> Tensor:
        """(b, m) float32 from the (b, 1 + m, C) tokens at the end."""
        of_all: Tensor = self._iou_head(tokens[:, 0])
        return of_all[:, self.masks.start : self.masks.stop].float()

    def kernels(self, tokens: Tensor) -> Tensor:
        """(b, m, C / 8) from the (b, 1 + m, C) tokens at the end."""
        *inner, (last_weight, last_bias) = self._layers
        now = tokens[:, 1:].transpose(0, 1)
        for weight, bias in inner:
            now = torch.baddbmm(bias, now, weight).relu_()
        return torch.baddbmm(last_bias, now, last_weight).transpose(0, 1).contiguous()
