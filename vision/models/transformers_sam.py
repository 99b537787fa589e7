"""SAM 2, EdgeTAM and SAM 3's tracker in transformers: masks of boxes, of points, of everything.

The image is embedded once; every prompt asks that embedding again. Masks of points and boxes are
those of upstream's class and processor called directly; the picture is stretched to their square,
so that none is too narrow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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
from vision.models.mask_results import joined, prompted_masks
from vision.models.passes import Passes
from vision.models.segment_anything import BOXES, ENCODER, POINTS
from vision.models.state import memory_bytes
from vision.models.transformers_pixels import pixel_values

BOXES_PER_DECODE = 16
"""The decoder holds about 42 MB for every box at the published sizes, measured on a CPU."""
BOXES_ON_GPU = 64
"""Whose memory is larger; they are halved where it isn't large enough."""
MASK_THRESHOLD = 0.0
"""Of logits, upstream's."""


@dataclass(frozen=True, slots=True)
class _Features:
    """What the image encoder said, from high resolution to low; float32."""

    levels: tuple[Tensor, ...]


class TransformersSam(PromptSegmenter, MaskGenerator):
    """`Sam2Model`, `EdgeTamModel` or `Sam3TrackerModel` with its processor."""

    def __init__(self, network: Any, processor: Any, *, identity: ModelIdentity) -> None:
        """Any: upstream is untyped."""
        super().__init__(identity, memory_bytes=memory_bytes(network))
        self._network = network
        self._processor = processor
        self._placement = Placement(identity.device, identity.precision)
        boxes = BOXES_PER_DECODE if identity.device == "cpu" else BOXES_ON_GPU
        self._passes = Passes(self, most=boxes, is_tried=False)
        self._encoder_passes = Passes(self, most=IMAGES_PER_ENCODE)

    def _embed(self, images: Sequence[RgbImage]) -> list[ImageEmbedding]:
        return self._encoder_passes.each(images, self._encoded, shape=ENCODER)

    @torch.inference_mode()
    def _encoded(self, images: list[RgbImage]) -> list[ImageEmbedding]:
        pixels = torch.cat([self._pixels(image) for image in images])
        with self._placement.autocast():
            levels = self._network.get_image_embeddings(pixels)
        rows = zip(*(level.split(1) for level in levels), strict=True)
        found = [
            self._embedding(ImageSize.of(image), row)
            for image, row in zip(images, rows, strict=True)
        ]
        self._placement.wait()
        return found

    def _pixels(self, image: RgbImage) -> Tensor:
        return pixel_values(self._processor.image_processor, [image], device=self.identity.device)

    def _embedding(self, size: ImageSize, levels: Sequence[Tensor]) -> ImageEmbedding:
        # Only the image encoder bears another number format than float32.
        own = tuple(level.to(torch.float32, copy=True) for level in levels)
        nbytes = sum(level.nbytes for level in own)
        return ImageEmbedding(size, self.identity, _Features(own), memory_bytes=nbytes)

    def _segment(self, embedding: ImageEmbedding, prompts: Prompts) -> PromptedMasks:
        with torch.inference_mode():
            parts = self._passes.parts(
                len(prompts.boxes),
                lambda some: self._of_boxes(embedding, prompts.boxes[some]),
                shape=BOXES,
            )
            if len(prompts.points):
                parts.insert(0, self._of_points(embedding, prompts.points))
        return joined(parts)

    def _of_boxes(self, embedding: ImageEmbedding, boxes: NDArray[np.float32]) -> PromptedMasks:
        return self._decode(embedding, {"input_boxes": [boxes.tolist()]}, several=False)

    def _of_points(self, embedding: ImageEmbedding, points: NDArray[np.float32]) -> PromptedMasks:
        """One click can mean three things: then the mask that the network trusts most."""
        prompt = {
            "input_points": [[points[:, :2].tolist()]],
            "input_labels": [[points[:, 2].astype(int).tolist()]],
        }
        return self._decode(embedding, prompt, several=len(points) == 1)

    def _decode(
        self, embedding: ImageEmbedding, prompt: Mapping[str, Any], *, several: bool
    ) -> PromptedMasks:
        small, predicted_iou = self.answer(embedding, prompt, several=several)
        enlargement = Enlargement((Step.whole(embedding.size),))
        return prompted_masks(small, predicted_iou, enlargement, MASK_THRESHOLD)

    def answer(
        self, embedding: ImageEmbedding, prompt: Mapping[str, Any], *, several: bool
    ) -> tuple[Tensor, Tensor]:
        """Mask logits (n, k, h, w) and predicted IoU (n, k), k being 3 if `several`, else 1.

        Of a prompt in upstream's form and in pixels of the image.
        """
        size, features = embedding.size, embedding.features
        assert isinstance(features, _Features)
        inputs = self._processor(
            original_sizes=[[size.height, size.width]], return_tensors="pt", **prompt
        )
        del inputs["original_sizes"]
        answer = self._network(
            image_embeddings=list(features.levels),
            multimask_output=several,
            **inputs.to(self.identity.device),
        )
        return answer.pred_masks[0], answer.iou_scores[0]

    def _generate(self, image: RgbImage, options: EverythingOptions) -> Detections:
        return self._passes.whole(
            lambda points: self._everything(image, replace(options, points_per_batch=points)),
            most=options.points_per_batch,
            shape=POINTS,
        )

    @torch.inference_mode()
    def _everything(self, image: RgbImage, options: EverythingOptions) -> Detections:
        """By clicks that reach the whole picture.

        transformers' own pipeline `mask-generation` scales its grid by the longer side although
        these networks see a stretched square, so that in a picture of 16 : 9 no click falls on the
        lower 44 %. On square pictures the two give the same masks.
        """
        return everything_in(
            image,
            options,
            look=lambda picture: _Seen(self, self.embed(picture)),
            look_at_crop=lambda crop: _Seen(self, self.forgetful.embed(crop)),
            threshold=MASK_THRESHOLD,
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    """A picture that the encoder has seen."""

    sam: TransformersSam
    embedding: ImageEmbedding

    @property
    def enlargement(self) -> Enlargement:
        return Enlargement((Step.whole(self.embedding.size),))

    def candidates(self, points: Points, *, min_iou: float | None) -> Candidates:
        clicks = {"input_points": torch.from_numpy(points)[None, :, None]}
        return wanted(*self.sam.answer(self.embedding, clicks, several=True), min_iou)
