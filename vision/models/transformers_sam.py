"""SAM 2, EdgeTAM and SAM 3's tracker in transformers: masks of boxes, of points, of everything.

The image is embedded once; every prompt asks that embedding again. Masks of points and boxes are
those of upstream's class and processor called directly; the picture is stretched to their square,
so that none is too narrow. For everything see `PromptedGrid`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
    IMAGES_PER_ENCODE,
    EverythingOptions,
    ImageEmbedding,
    MaskGenerator,
    ModelIdentity,
    PromptedMasks,
    PromptSegmenter,
)
from vision.models.device import Placement
from vision.models.mask_results import everything, joined
from vision.models.passes import Passes
from vision.models.segment_anything import BOXES, ENCODER, POINTS, VALUES_AT_ONCE, affordable
from vision.models.state import memory_bytes
from vision.models.transformers_pixels import pixel_values

BOXES_PER_DECODE = 16
"""The decoder holds about 42 MB for every box at the published sizes, measured on a CPU."""
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
        self._passes = Passes(self, most=BOXES_PER_DECODE, is_tried=False)
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
        small, predicted_iou = self._answer(embedding, prompt, several=several)
        return self._read_out(small, predicted_iou, embedding.size)

    def _answer(
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

    def _read_out(self, small: Tensor, predicted_iou: Tensor, size: ImageSize) -> PromptedMasks:
        """Full-size masks, of each object the one that the network trusts most; a few at a time."""
        best = predicted_iou.argmax(dim=1)
        at_once = max(1, VALUES_AT_ONCE // (size.pixels * small.shape[1]))
        chunks = zip(torch.split(small, at_once), torch.split(best, at_once), strict=True)
        parts = [_in_run_lengths(_chosen(self.enlarged(some, size), row)) for some, row in chunks]
        return PromptedMasks(
            masks=tuple(mask for masks, _ in parts for mask in masks),
            boxes=np.concatenate([boxes for _, boxes in parts]),
            predicted_iou=_chosen(predicted_iou, best).cpu().numpy(),
        )

    def enlarged(self, small: Tensor, size: ImageSize) -> Tensor:
        """Mask logits (n, k, height, width) of (n, k, h, w).

        All k together, even where one is wanted: torch would round it otherwise than upstream's.
        """
        (large,) = self._processor.post_process_masks(
            [small], [[size.height, size.width]], binarize=False
        )
        assert isinstance(large, Tensor)
        return large

    def _generate(self, image: RgbImage, options: EverythingOptions) -> Detections:
        feasible = affordable(options, ImageSize.of(image))
        return self._passes.whole(
            lambda points: self._everything(image, replace(feasible, points_per_batch=points)),
            most=feasible.points_per_batch,
            shape=POINTS,
        )

    def _everything(self, image: RgbImage, options: EverythingOptions) -> Detections:
        grid = PromptedGrid(self, pred_iou_thresh=options.pred_iou_thresh)
        generator = SamAutomaticMaskGenerator(grid.model, **asdict(options), output_mode="coco_rle")
        generator.predictor = grid
        with torch.inference_mode():
            return everything(generator.generate(image))

    def candidates(self, embedding: ImageEmbedding, points: Tensor) -> tuple[Tensor, Tensor]:
        """Three for each click, (n, 2) in pixels: small logits (n, 3, h, w), trust (n, 3)."""
        return self._answer(embedding, {"input_points": points[None, :, None]}, several=True)


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
        # Never written, never read: memory that is only reserved costs nothing.
        large = small.new_empty((*small.shape[:2], embedding.size.height, embedding.size.width))
        wanted = (predicted_iou > self._threshold).any(dim=1) | (self._threshold <= 0)
        large[wanted] = self._sam.enlarged(small[wanted], embedding.size)
        return large, predicted_iou, small


def _chosen(rows: Tensor, best: Tensor) -> Tensor:
    """(n, …) of (n, k, …): in each row that of the index."""
    return rows[torch.arange(len(rows), device=rows.device), best]


def _in_run_lengths(logits: Tensor) -> tuple[tuple[RleMask, ...], NDArray[np.float32]]:
    """And the tight boxes, of (n, height, width)."""
    bitmaps = logits > MASK_THRESHOLD
    boxes = batched_mask_to_box(bitmaps).float().cpu().numpy()
    return RleMask.from_bitmaps(bitmaps.cpu().numpy()), boxes
