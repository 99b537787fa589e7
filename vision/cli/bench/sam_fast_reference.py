"""segment-anything-fast's way to masks of everything, rebuilt: a reference, and nothing else.

What https://github.com/pytorch-labs/segment-anything-fast publishes, by its own files:

- `build_sam.py`: image encoder, prompt encoder and mask decoder in bfloat16; the image encoder by
  `torch.compile(mode="max-autotune")`;
- `modeling/image_encoder.py`: scaled dot product attention whose bias is the sum of the two
  relative positions. Its Triton kernel (`flash_4.py`) takes a batch of two images and more for
  vit_b and vit_l, so one image goes through exactly this;
- `automatic_mask_generator.py`: upstream's steps; the masks of all clicks are kept, and turned into
  run lengths together (`mask_to_rle_pytorch_2` in `utils/amg.py`).

Left out are its nested tensors around the clicks, which hold full-size masks of all of them once
more, and the copy of all kept masks to the CPU. Both cost it time and memory. int8 and sparsity
aren't part of its generator.
"""

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam
from segment_anything.modeling.image_encoder import Attention, get_rel_pos
from segment_anything.modeling.prompt_encoder import PositionEmbeddingRandom
from segment_anything.utils.amg import (
    MaskData,
    batch_iterator,
    batched_mask_to_box,
    calculate_stability_score,
    is_box_near_crop_edge,
    uncrop_boxes_xyxy,
    uncrop_masks,
    uncrop_points,
)
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops.boxes import batched_nms

from vision.domain.image import RgbImage

COMPILE_MODE = "max-autotune"


def fast_network(network: Sam, *, dtype: torch.dtype, is_compiled: bool) -> Sam:
    """A copy of a network, as `build_sam_fast_vit_b` makes it."""
    encoder = deepcopy(network.image_encoder)
    for block in encoder.blocks:
        block.attn = BiasedAttention(block.attn)
    prompts = deepcopy(network.prompt_encoder)
    prompts.pe_layer = Positions(prompts.pe_layer)
    fast = Sam(
        Encoder(encoder.to(dtype), dtype, is_compiled=is_compiled),
        prompts.to(dtype),
        Decoder(deepcopy(network.mask_decoder).to(dtype), dtype),
    )
    return fast.to(network.device).eval()


class Encoder(nn.Module):
    """Of pixels in any number format."""

    def __init__(self, encoder: nn.Module, dtype: torch.dtype, *, is_compiled: bool) -> None:
        super().__init__()
        self.img_size = encoder.img_size  # upstream reads this name
        self._dtype = dtype
        self.encoder = torch.compile(encoder, mode=COMPILE_MODE) if is_compiled else encoder

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.encoder(pixels.to(self._dtype))
        return features


class Decoder(nn.Module):
    """Of prompts in any number format: upstream's prompt encoder joins its own with float32."""

    def __init__(self, decoder: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.decoder = decoder
        self._dtype = dtype

    def forward(
        self, *, sparse_prompt_embeddings: Tensor, dense_prompt_embeddings: Tensor, **others: Any
    ) -> tuple[Tensor, Tensor]:
        answer: tuple[Tensor, Tensor] = self.decoder(
            sparse_prompt_embeddings=sparse_prompt_embeddings.to(self._dtype),
            dense_prompt_embeddings=dense_prompt_embeddings.to(self._dtype),
            **others,
        )
        return answer


class Positions(PositionEmbeddingRandom):  # type: ignore[misc]
    """Codes of places in the number format of the weights."""

    def __init__(self, codes: PositionEmbeddingRandom) -> None:
        matrix = codes.positional_encoding_gaussian_matrix
        super().__init__(matrix.shape[1])
        self.positional_encoding_gaussian_matrix = matrix

    def _pe_encoding(self, coords: Tensor) -> Tensor:
        encoded: Tensor = super()._pe_encoding(
            coords.to(self.positional_encoding_gaussian_matrix.dtype)
        )
        return encoded


class BiasedAttention(nn.Module):
    """Upstream's attention by one call, with the relative positions as its bias."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.num_heads = attention.num_heads
        self.qkv, self.proj = attention.qkv, attention.proj
        for name in ("rel_pos_h", "rel_pos_w"):
            table = getattr(attention, name).detach()
            side = (len(table) + 1) // 2
            self.register_buffer(name, get_rel_pos(side, side, table))

    def forward(self, cells: Tensor) -> Tensor:
        """(n, rows, columns, channels) to the same."""
        n, rows, columns, _ = cells.shape
        qkv = self.qkv(cells).reshape(n, rows * columns, 3, self.num_heads, -1)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        bias = self._bias(queries.unflatten(2, (rows, columns)))
        mixed = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(n, rows, columns, -1))
        return out

    def _bias(self, queries: Tensor) -> Tensor:
        """(n, heads, cells, cells) of (n, heads, rows, columns, d)."""
        down = torch.einsum("bnhwc,hkc->bnhwk", queries, self.rel_pos_h)
        across = torch.einsum("bnhwc,wkc->bnhwk", queries, self.rel_pos_w)
        both = down[..., :, None] + across[..., None, :]
        return both.flatten(4, 5).flatten(2, 3)


class FastGenerator(SamAutomaticMaskGenerator):  # type: ignore[misc]
    """Upstream's, with run lengths of all masks of a crop together."""

    def _process_crop(
        self, image: RgbImage, crop_box: list[int], crop_layer_idx: int, orig_size: tuple[int, int]
    ) -> MaskData:
        left, top, right, bottom = crop_box
        crop = image[top:bottom, left:right]
        self.predictor.set_image(crop)
        size = crop.shape[:2]
        points = self.point_grids[crop_layer_idx] * np.array(size)[None, ::-1]
        found = MaskData()
        for (some,) in batch_iterator(self.points_per_batch, points):
            found.cat(self._process_batch(some, size, crop_box, orig_size))
        self.predictor.reset_image()
        return self._of_crop(found, crop_box)

    def _of_crop(self, found: MaskData, crop_box: list[int]) -> MaskData:
        found["rles"] = run_lengths(found["masks"])
        del found["masks"]
        boxes = found["boxes"].float()
        kept = batched_nms(
            boxes, found["iou_preds"], torch.zeros_like(boxes[:, 0]), self.box_nms_thresh
        )
        found.filter(kept)
        found["boxes"] = uncrop_boxes_xyxy(found["boxes"], crop_box)
        found["points"] = uncrop_points(found["points"], crop_box)
        found["crop_boxes"] = torch.tensor([crop_box] * len(found["rles"]))
        return found

    def _process_batch(
        self,
        points: NDArray[np.float64],
        im_size: tuple[int, int],
        crop_box: list[int],
        orig_size: tuple[int, int],
    ) -> MaskData:
        """With masks where upstream has run lengths."""
        found = self._candidates(points, im_size)
        if self.pred_iou_thresh > 0:
            found.filter(found["iou_preds"] > self.pred_iou_thresh)
        threshold = self.predictor.model.mask_threshold
        found["stability_score"] = calculate_stability_score(
            found["masks"], threshold, self.stability_score_offset
        )
        if self.stability_score_thresh > 0:
            found.filter(found["stability_score"] >= self.stability_score_thresh)
        found["masks"] = found["masks"] > threshold
        found["boxes"] = batched_mask_to_box(found["masks"])
        height, width = orig_size
        found.filter(~is_box_near_crop_edge(found["boxes"], crop_box, [0, 0, width, height]))
        found["masks"] = uncrop_masks(found["masks"], crop_box, height, width)
        return found

    def _candidates(self, points: NDArray[np.float64], size: tuple[int, int]) -> MaskData:
        places = self.predictor.transform.apply_coords(points, size)
        clicks = torch.as_tensor(places, device=self.predictor.device)[:, None]
        labels = torch.ones(clicks.shape[:2], dtype=torch.int, device=clicks.device)
        masks, predicted_iou, _ = self.predictor.predict_torch(
            clicks, labels, multimask_output=True, return_logits=True
        )
        return MaskData(
            masks=masks.flatten(0, 1),
            iou_preds=predicted_iou.flatten(0, 1).float(),  # numpy has no bfloat16
            points=torch.as_tensor(points.repeat(masks.shape[1], axis=0)),
        )


def run_lengths(masks: Tensor) -> list[dict[str, Any]]:
    """Uncompressed ones of (n, height, width) bool, by one look for where pixels differ."""
    count, height, width = masks.shape
    columns = masks.transpose(1, 2).flatten(1)
    is_change = torch.ones(count, height * width + 1, dtype=torch.bool, device=masks.device)
    is_change[:, 1:-1] = columns[:, 1:] ^ columns[:, :-1]
    places = is_change.nonzero()[:, 1]
    lengths = (places[1:] - places[:-1]).tolist()
    ends = is_change.sum(1).cumsum(0).tolist()
    begins_inside = columns[:, 0].tolist()
    starts = [0, *ends][:-1]
    return [
        {"size": [height, width], "counts": [0] * is_inside + lengths[start : end - 1]}
        for start, end, is_inside in zip(starts, ends, begins_inside, strict=True)
    ]
