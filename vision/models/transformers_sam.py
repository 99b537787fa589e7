"""SAM 2, EdgeTAM and SAM 3's tracker in transformers: masks of boxes, of points, of everything.

The image is embedded once; every prompt asks that embedding again. Masks of points and boxes are
those of upstream's class and processor called directly; the picture is stretched to their square,
so that none is too narrow. For everything see `PromptedGrid`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.utils.amg import batched_mask_to_box
from torch import Tensor

from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.domain.prompt import Prompts
from vision.models.base import (
    EverythingOptions,
    ImageEmbedding,
    MaskGenerator,
    ModelIdentity,
    PromptedMasks,
    PromptSegmenter,
)
from vision.models.device import Placement
from vision.models.frugal_predictor import enlarged_if_trusted
from vision.models.mask_results import everything, joined
from vision.models.segment_anything import VALUES_AT_ONCE, affordable
from vision.models.state import memory_bytes
from vision.models.transformers_pixels import pixel_values

BOXES_PER_DECODE = 16
"""The decoder holds about 60 MB for every box at the published sizes."""
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

    def _embed(self, image: RgbImage) -> ImageEmbedding:
        pixels = pixel_values(self._processor.image_processor, image).to(self.identity.device)
        with torch.inference_mode(), self._placement.autocast():
            levels = self._network.get_image_embeddings(pixels)
        # Only the image encoder bears another number format than float32.
        features = _Features(tuple(level.float() for level in levels))
        return ImageEmbedding(ImageSize.of(image), self.identity, features)

    def _segment(self, embedding: ImageEmbedding, prompts: Prompts) -> PromptedMasks:
        with torch.inference_mode():
            parts = [
                self._read_out(small, predicted_iou, embedding.size)
                for small, predicted_iou in self._decoded(embedding, prompts)
            ]
        return joined(parts)

    def _decoded(
        self, embedding: ImageEmbedding, prompts: Prompts
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Small mask logits (n, 1, h, w) and predicted IoU (n, 1): points' object, then boxes."""
        if len(prompts.points):
            yield self._of_points(embedding, prompts.points)
        for start in range(0, len(prompts.boxes), BOXES_PER_DECODE):
            boxes = prompts.boxes[start : start + BOXES_PER_DECODE]
            yield self._decode(embedding, {"input_boxes": [boxes.tolist()]}, several=False)

    def _of_points(
        self, embedding: ImageEmbedding, points: NDArray[np.float32]
    ) -> tuple[Tensor, Tensor]:
        """One click can mean three things: then the mask that the network trusts most."""
        prompt = {
            "input_points": [[points[:, :2].tolist()]],
            "input_labels": [[points[:, 2].astype(int).tolist()]],
        }
        small, predicted_iou = self._decode(embedding, prompt, several=len(points) == 1)
        best = predicted_iou.argmax(dim=1)
        return small[:, best], predicted_iou[:, best]

    def _decode(
        self, embedding: ImageEmbedding, prompt: Mapping[str, Any], *, several: bool
    ) -> tuple[Tensor, Tensor]:
        """Of a prompt in upstream's form and in pixels of the image."""
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

    def _read_out(self, small: Tensor, predicted_iou: Tensor, size: ImageSize) -> PromptedMasks:
        """Full-size masks of small logits, a few at a time."""
        parts = [
            _in_run_lengths(self._enlarged(some, size)[:, 0] > MASK_THRESHOLD)
            for some in torch.split(small, max(1, VALUES_AT_ONCE // size.pixels))
        ]
        return PromptedMasks(
            masks=tuple(mask for masks, _ in parts for mask in masks),
            boxes=np.concatenate([boxes for _, boxes in parts]),
            predicted_iou=predicted_iou[:, 0].cpu().numpy(),
        )

    def _enlarged(self, small: Tensor, size: ImageSize) -> Tensor:
        """Logits (n, k, height, width) of (n, k, h, w)."""
        (large,) = self._processor.post_process_masks(
            [small], [[size.height, size.width]], binarize=False
        )
        assert isinstance(large, Tensor)
        return large

    def _generate(self, image: RgbImage, options: EverythingOptions) -> Detections:
        feasible = affordable(options, ImageSize.of(image))
        grid = PromptedGrid(self, pred_iou_thresh=options.pred_iou_thresh)
        generator = SamAutomaticMaskGenerator(
            grid.model, **asdict(feasible), output_mode="coco_rle"
        )
        generator.predictor = grid
        with torch.inference_mode():
            return everything(generator.generate(image))

    def candidates(self, embedding: ImageEmbedding, points: Tensor) -> tuple[Tensor, Tensor]:
        """Three for each click, (n, 2) in pixels: small logits (n, 3, h, w), trust (n, 3)."""
        return self._decode(embedding, {"input_points": points[None, :, None]}, several=True)

    def enlarged(self, small: Tensor, size: ImageSize) -> Tensor:
        """Mask logits at full size, (n, 1, height, width), of (n, 1, h, w)."""
        return self._enlarged(small, size)


@dataclass(frozen=True, slots=True)
class _EncoderFacts:
    img_size: int


@dataclass(frozen=True, slots=True)
class _ModelFacts:
    """All that segment-anything's generator reads of a model."""

    image_encoder: _EncoderFacts
    mask_threshold: float = MASK_THRESHOLD


class PromptedGrid:
    """What segment-anything's generator of everything takes for its predictor.

    That generator, rather than transformers' `mask-generation` pipeline: it knows all parameters,
    gives stability scores, and its clicks reach the whole picture. The pipeline scales its grid by
    the longer side although these networks see a stretched square, so that in a picture of 16 : 9
    no click falls on the lower 44 %. On square pictures the two give the same masks.
    """

    device = "cpu"
    """Of the clicks that the generator makes."""

    def __init__(self, sam: TransformersSam, *, pred_iou_thresh: float) -> None:
        self.model = _ModelFacts(_EncoderFacts(img_size=1))
        self.transform = self
        self._sam = sam
        self._threshold = pred_iou_thresh
        self._embedding: ImageEmbedding | None = None

    def set_image(self, image: RgbImage) -> None:
        self._embedding = self._sam.embed(image)

    def reset_image(self) -> None:
        self._embedding = None

    def apply_coords(
        self, points: NDArray[np.float64], _size: tuple[int, int]
    ) -> NDArray[np.float64]:
        """As they are: upstream's processor scales them."""
        return points

    def predict_torch(
        self, points: Tensor, _labels: Tensor, *, multimask_output: bool, return_logits: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of single clicks (n, 1, 2) that are all inside; rows that the generator drops hold no
        meaningful values.
        """
        assert multimask_output, "the generator asks for three masks"
        assert return_logits, "the generator asks for logits"
        embedding = self._embedding
        assert embedding is not None, "an image is set first"
        small, predicted_iou = self._sam.candidates(embedding, points[:, 0])
        large = enlarged_if_trusted(
            small,
            predicted_iou,
            threshold=self._threshold,
            size=(embedding.size.height, embedding.size.width),
            enlarge=lambda chosen: self._sam.enlarged(chosen, embedding.size),
        )
        return large, predicted_iou, small


def _in_run_lengths(bitmaps: Tensor) -> tuple[tuple[RleMask, ...], NDArray[np.float32]]:
    """And the tight boxes, of (n, height, width) bool."""
    boxes = batched_mask_to_box(bitmaps).float().cpu().numpy()
    return RleMask.from_bitmaps(bitmaps.cpu().numpy()), boxes
