"""segment-anything 1.0: masks of boxes, of points and of everything.

The image is embedded once; every prompt asks that embedding again. Results are those of
upstream's `SamPredictor` and `SamAutomaticMaskGenerator` on the same network.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import compress

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam
from segment_anything.utils.amg import batched_mask_to_box, generate_crop_boxes
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor, nn

from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.domain.prompt import Prompts
from vision.errors import InvalidRequest
from vision.models.base import (
    IMAGES_PER_ENCODE,
    EverythingOptions,
    ImageEmbedding,
    MaskGenerator,
    ModelIdentity,
    PromptedMasks,
    PromptSegmenter,
)
from vision.models.device import Placement
from vision.models.frugal_predictor import FrugalPredictor
from vision.models.mask_results import everything, joined, no_masks
from vision.models.passes import Passes
from vision.models.state import memory_bytes

BOXES_PER_DECODE = 32
"""The decoder copies the image's features for every box: 32 are 134 MB for sam_vit_*."""
BOXES, POINTS = "boxes", "points"
"""What passes through the decoder together."""
ENCODER = "encoder"
"""What the image encoder sees has one shape, whatever the image's."""
VALUES_AT_ONCE = 2**26
"""Mask values at full resolution in memory at a time: 256 MB of float32."""
EVERYTHING_VALUES_AT_ONCE = 2**28
"""The same inside upstream's generator, which needs about three times as much as it holds."""
MASKS_PER_POINT = 3


@dataclass(frozen=True, slots=True)
class _Features:
    """What the image encoder said."""

    tensor: Tensor
    scaled: tuple[int, ...]
    """Height and width of the picture that the encoder saw."""


class SegmentAnything(PromptSegmenter, MaskGenerator):
    """A segment-anything network with any image encoder."""

    def __init__(self, network: Sam, *, identity: ModelIdentity) -> None:
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self._placement = Placement(identity.device, identity.precision)
        network.image_encoder = _Encoder(network.image_encoder, self._placement)
        self._network = network.to(identity.device).eval()
        self._resize = ResizeLongestSide(network.image_encoder.img_size)
        self._passes = Passes(self, most=BOXES_PER_DECODE, is_tried=False)
        self._encoder_passes = Passes(self, most=IMAGES_PER_ENCODE)

    def _embed(self, images: Sequence[RgbImage]) -> list[ImageEmbedding]:
        """Of a sliver without features."""
        sizes = [ImageSize.of(image) for image in images]
        seen = [not self._is_sliver(size) for size in sizes]
        encoded = iter(
            self._encoder_passes.each(list(compress(images, seen)), self._encoded, shape=ENCODER)
        )
        return [
            next(encoded) if is_seen else ImageEmbedding(size, self.identity, None, memory_bytes=0)
            for size, is_seen in zip(sizes, seen, strict=True)
        ]

    @torch.inference_mode()
    def _encoded(self, images: list[RgbImage]) -> list[ImageEmbedding]:
        scaled = [self._scaled(image) for image in images]
        pixels = torch.cat([self._network.preprocess(one) for one in scaled])
        rows = self._network.image_encoder(pixels).split(1)
        found = [
            self._embedding(ImageSize.of(image), _Features(row.clone(), one.shape[2:]))
            for image, one, row in zip(images, scaled, rows, strict=True)
        ]
        self._placement.wait()
        return found

    def _scaled(self, image: RgbImage) -> Tensor:
        """(1, 3, height, width), as `SamPredictor.set_image` makes it."""
        scaled = torch.as_tensor(self._resize.apply_image(image), device=self._network.device)
        return scaled.permute(2, 0, 1).contiguous()[None]

    def _embedding(self, size: ImageSize, features: _Features) -> ImageEmbedding:
        return ImageEmbedding(size, self.identity, features, memory_bytes=features.tensor.nbytes)

    def _segment(self, embedding: ImageEmbedding, prompts: Prompts) -> PromptedMasks:
        features = embedding.features
        if not isinstance(features, _Features):
            return no_masks(prompts.objects, embedding.size)
        size = embedding.size
        with torch.inference_mode():
            parts = self._passes.parts(
                len(prompts.boxes),
                lambda some: self._of_boxes(features, prompts.boxes[some], size),
                shape=BOXES,
            )
            if len(prompts.points):
                decoded = self._of_points(features, prompts.points, size)
                parts.insert(0, self._read_out(*decoded, features, size))
        return joined(parts)

    def _of_boxes(
        self, features: _Features, boxes: NDArray[np.float32], size: ImageSize
    ) -> PromptedMasks:
        scaled = self._resize.apply_boxes(boxes, (size.height, size.width))
        return self._read_out(*self._decode(features, boxes=self._tensor(scaled)), features, size)

    def _of_points(
        self, features: _Features, points: NDArray[np.float32], size: ImageSize
    ) -> tuple[Tensor, Tensor]:
        """One click can mean three things: then the mask that the network trusts most."""
        places = self._resize.apply_coords(points[:, :2], (size.height, size.width))
        labels = torch.as_tensor(points[:, 2], dtype=torch.int, device=self._network.device)
        one_click = len(points) == 1
        low, predicted_iou = self._decode(
            features, points=(self._tensor(places)[None], labels[None]), several=one_click
        )
        best = predicted_iou.argmax(dim=1)
        return low[:, best], predicted_iou[:, best]

    def _decode(
        self,
        features: _Features,
        *,
        points: tuple[Tensor, Tensor] | None = None,
        boxes: Tensor | None = None,
        several: bool = False,
    ) -> tuple[Tensor, Tensor]:
        encoder = self._network.prompt_encoder
        sparse, dense = encoder(points=points, boxes=boxes, masks=None)
        low, predicted_iou = self._network.mask_decoder(
            image_embeddings=features.tensor,
            image_pe=encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
        )
        return low, predicted_iou

    def _read_out(
        self, low: Tensor, predicted_iou: Tensor, features: _Features, size: ImageSize
    ) -> PromptedMasks:
        """Full-size masks of small logits, a few at a time."""
        parts = [
            self._full_size(some, features, size)
            for some in torch.split(low, max(1, VALUES_AT_ONCE // size.pixels))
        ]
        return PromptedMasks(
            masks=tuple(mask for masks, _ in parts for mask in masks),
            boxes=np.concatenate([boxes for _, boxes in parts]),
            predicted_iou=predicted_iou[:, 0].cpu().numpy(),
        )

    def _full_size(
        self, low: Tensor, features: _Features, size: ImageSize
    ) -> tuple[tuple[RleMask, ...], NDArray[np.float32]]:
        logits = self._network.postprocess_masks(low, features.scaled, (size.height, size.width))
        bitmaps = logits[:, 0] > self._network.mask_threshold
        boxes = batched_mask_to_box(bitmaps).float().cpu().numpy()
        return RleMask.from_bitmaps(bitmaps.cpu().numpy()), boxes

    def _generate(self, image: RgbImage, options: EverythingOptions) -> Detections:
        size = ImageSize.of(image)
        if self._is_sliver(size):
            return everything([])
        feasible = affordable(options, size)
        return self._passes.whole(
            lambda points: self._everything(image, replace(feasible, points_per_batch=points)),
            most=feasible.points_per_batch,
            shape=POINTS,
        )

    def _everything(self, image: RgbImage, options: EverythingOptions) -> Detections:
        generator = SamAutomaticMaskGenerator(
            self._network, **asdict(options), output_mode="coco_rle"
        )
        generator.predictor = FrugalPredictor(
            self._network, pred_iou_thresh=options.pred_iou_thresh
        )
        with torch.inference_mode():
            return everything(generator.generate(image))

    def _is_sliver(self, size: ImageSize) -> bool:
        """Whether the encoder would see less than one pixel across: upstream fails on these."""
        long_side = self._resize.target_length
        seen = self._resize.get_preprocess_shape(size.height, size.width, long_side)
        return bool(min(seen) < 1)

    def _tensor(self, numbers: NDArray[np.floating]) -> Tensor:
        return torch.as_tensor(numbers, dtype=torch.float, device=self._network.device)


class _Encoder(nn.Module):
    """The image encoder in the wanted precision: the only part of a SAM that bears another."""

    def __init__(self, encoder: nn.Module, placement: Placement) -> None:
        super().__init__()
        self.encoder = encoder
        self.img_size = encoder.img_size  # upstream reads this name
        self._placement = placement

    def forward(self, pixels: Tensor) -> Tensor:
        with self._placement.autocast():
            features: Tensor = self.encoder(pixels)
        return features.float()


def affordable(options: EverythingOptions, size: ImageSize) -> EverythingOptions:
    """With fewer points per batch on large images: memory is bounded, the result is the same.

    Tiny images are cut into crops only as often as every crop has pixels. Raises InvalidRequest
    when a layer of crops is left without points.
    """
    _require_points(options)
    points = max(1, EVERYTHING_VALUES_AT_ONCE // (MASKS_PER_POINT * size.pixels))
    return replace(
        options,
        points_per_batch=min(options.points_per_batch, points),
        crop_n_layers=_possible_layers(options, size),
    )


def _possible_layers(options: EverythingOptions, size: ImageSize) -> int:
    for layers in range(options.crop_n_layers, 0, -1):
        crops, _ = generate_crop_boxes(
            (size.height, size.width), layers, options.crop_overlap_ratio
        )
        if all(x1 < x2 and y1 < y2 for x1, y1, x2, y2 in crops):
            return layers
    return 0


def _require_points(options: EverythingOptions) -> None:
    fewest = options.points_per_side / options.crop_n_points_downscale_factor**options.crop_n_layers
    if fewest < 1:
        raise InvalidRequest(
            f"points_per_side {options.points_per_side} leaves no point in crop layer "
            f"{options.crop_n_layers} with crop_n_points_downscale_factor "
            f"{options.crop_n_points_downscale_factor}"
        )
