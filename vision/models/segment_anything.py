"""segment-anything 1.0: masks of boxes, of points and of everything.

The image is embedded once; every prompt asks that embedding again. Results are those of upstream's
`SamPredictor` and `SamAutomaticMaskGenerator` on the same network; in the mode `fast` they are but
for rounding, see `FoldedDecoder`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor, nn

from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.domain.prompt import Prompts
from vision.models.base import (
    IMAGES_PER_ENCODE,
    EverythingOptions,
    ImageEmbedding,
    MaskGenerator,
    ModelIdentity,
    PromptedMasks,
    PromptSegmenter,
)
from vision.models.bilinear import Enlargement, Step
from vision.models.device import Placement
from vision.models.everything import Candidates, Points, everything_in, wanted
from vision.models.folded_decoder import FoldedDecoder, ImageSide
from vision.models.mask_results import joined, no_masks, prompted_masks
from vision.models.passes import Passes
from vision.models.state import memory_bytes

BOXES_PER_DECODE = 32
"""The decoder copies the image's features for every box: 32 are 134 MB for sam_vit_*."""
BOXES_ON_GPU = 256
"""Whose memory is larger; they are halved where it isn't large enough."""
BOXES, POINTS = "boxes", "points"
"""What passes through the decoder together."""
ENCODER = "encoder"
"""What the image encoder sees has one shape, whatever the image's."""


@dataclass(frozen=True, slots=True)
class _Features:
    """What the image encoder said."""

    tensor: Tensor
    scaled: tuple[int, ...]
    """Height and width of the picture that the encoder saw."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A picture that the encoder has seen, in the mode `exact`."""

    sam: "SegmentAnything"
    features: _Features
    size: ImageSize

    @classmethod
    def by(cls, sam: "SegmentAnything", embedding: ImageEmbedding) -> "_Seen | None":
        """None for a sliver."""
        features = embedding.features
        return cls(sam, features, embedding.size) if isinstance(features, _Features) else None

    @property
    def enlargement(self) -> Enlargement:
        return self.sam.enlargement(self.features.scaled, self.size)

    def candidates(self, points: Points, *, min_iou: float | None) -> Candidates:
        low, predicted_iou = self.sam.decode(
            self.features, points=self.clicks(points), several=True
        )
        return wanted(low, predicted_iou, min_iou)

    def clicks(self, points: Points) -> tuple[Tensor, Tensor]:
        """As the network wants (n, 2): in float64, as upstream's generator leaves them."""
        scaled = self.sam.scaled_points(points, self.size)
        places = torch.as_tensor(scaled, device=self.features.tensor.device)[:, None]
        return places, torch.ones(places.shape[:2], dtype=torch.int, device=places.device)


@dataclass(frozen=True, slots=True)
class _SeenFast(_Seen):
    """In the mode `fast`."""

    side: ImageSide

    @classmethod
    def by(cls, sam: "SegmentAnything", embedding: ImageEmbedding) -> "_Seen | None":
        features = embedding.features
        if not isinstance(features, _Features):
            return None
        return cls(sam, features, embedding.size, sam.folded.image_side(features.tensor))

    def candidates(self, points: Points, *, min_iou: float | None) -> Candidates:
        sparse, _ = self.sam._network.prompt_encoder(self.clicks(points), boxes=None, masks=None)
        found = self.sam.folded.decode(self.side, sparse, several=True, min_iou=min_iou)
        return wanted(found.low, found.predicted_iou[found.prompts], min_iou)


class SegmentAnything(PromptSegmenter, MaskGenerator):
    """A segment-anything network with any image encoder."""

    def __init__(self, network: Sam, *, identity: ModelIdentity) -> None:
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self._placement = Placement(identity.device, identity.precision)
        network.image_encoder = _Encoder(network.image_encoder, self._placement)
        self._network = network.to(identity.device).eval()
        self._folded: list[FoldedDecoder] = []
        """One, once the mode `fast` was asked for; shared with `forgetful`."""
        self._resize = ResizeLongestSide(network.image_encoder.img_size)
        boxes = BOXES_PER_DECODE if identity.device == "cpu" else BOXES_ON_GPU
        self._passes = Passes(self, most=boxes, is_tried=False)
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
                parts.insert(0, self._of_points(features, prompts.points, size))
        return joined(parts)

    def _of_boxes(
        self, features: _Features, boxes: NDArray[np.float32], size: ImageSize
    ) -> PromptedMasks:
        scaled = self._resize.apply_boxes(boxes, (size.height, size.width))
        low, predicted_iou = self.decode(features, boxes=self._tensor(scaled))
        enlargement = self.enlargement(features.scaled, size)
        return prompted_masks(low, predicted_iou, enlargement, self._network.mask_threshold)

    def _of_points(
        self, features: _Features, points: NDArray[np.float32], size: ImageSize
    ) -> PromptedMasks:
        """One click can mean three things: then the mask that the network trusts most."""
        places = self._tensor(self.scaled_points(points[:, :2], size))
        labels = torch.as_tensor(points[:, 2], dtype=torch.int, device=self._network.device)
        low, predicted_iou = self.decode(
            features, points=(places[None], labels[None]), several=len(points) == 1
        )
        enlargement = self.enlargement(features.scaled, size)
        return prompted_masks(low, predicted_iou, enlargement, self._network.mask_threshold)

    def decode(
        self,
        features: _Features,
        *,
        points: tuple[Tensor, Tensor] | None = None,
        boxes: Tensor | None = None,
        several: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Small logits (n, k, h, w) and predicted IoU (n, k), k being 3 if `several`, else 1."""
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

    def enlargement(self, scaled: tuple[int, ...], size: ImageSize) -> Enlargement:
        """By way of the square that the encoder saw, as `Sam.postprocess_masks` does it."""
        side = self._resize.target_length
        seen = ImageSize(width=scaled[1], height=scaled[0])
        to_square = Step(ImageSize(width=side, height=side), seen)
        return Enlargement((to_square,) if seen == size else (to_square, Step.whole(size)))

    def scaled_points(self, points: NDArray[np.floating], size: ImageSize) -> NDArray[np.floating]:
        """From pixels of a picture to those of the square that the encoder saw; (n, 2)."""
        scaled: NDArray[np.floating] = self._resize.apply_coords(points, (size.height, size.width))
        return scaled

    def _generate(self, image: RgbImage, options: EverythingOptions) -> Detections:
        return self._passes.whole(
            lambda points: self._everything(image, replace(options, points_per_batch=points)),
            most=options.points_per_batch,
            shape=POINTS,
        )

    @torch.inference_mode()
    def _everything(self, image: RgbImage, options: EverythingOptions) -> Detections:
        make = _SeenFast.by if options.mode == "fast" else _Seen.by
        return everything_in(
            image,
            options,
            look=lambda picture: make(self, self.embed(picture)),
            look_at_crop=lambda crop: make(self, self.forgetful.embed(crop)),
            threshold=self._network.mask_threshold,
        )

    @property
    def folded(self) -> FoldedDecoder:
        """The decoder of the mode `fast`, made when it is wanted first."""
        if not self._folded:
            self._folded.append(
                FoldedDecoder(
                    self._network, dtype=self._placement.dtype, is_compiled=self.is_compiled
                )
            )
        return self._folded[0]

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
