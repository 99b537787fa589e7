"""What every model of a task promises. Families derive from these and write the private method.

Constructed means ready: weights are loaded, the network is on its device, in evaluation mode.
Nothing here imports torch, so that a pipeline can be checked where no model can run.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.domain.prompt import Prompts


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which network with which weights: goes into every result's provenance."""

    name: str
    weights_sha256: str
    device: str
    precision: str


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """What to keep of a detector's answer."""

    min_score: float = 0.5
    labels: frozenset[str] | None = None
    """None keeps all."""
    max_detections: int = 300


@dataclass(frozen=True, slots=True)
class EverythingOptions:
    """`SamAutomaticMaskGenerator`'s parameters, by segment-anything 1.0's names and defaults."""

    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    min_mask_region_area: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ImageEmbedding:
    """What a promptable model computes once per image: a value, cached and asked again."""

    size: ImageSize
    """Of the image it was made from."""
    model: ModelIdentity
    features: object
    """The family's own form; only the model that made it reads it."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptedMasks:
    """One mask per prompted object: first the points' object, if any, then the boxes' in order."""

    masks: tuple[RleMask, ...]
    boxes: NDArray[np.float32]
    """(n, 4) float32: the tight x1, y1, x2, y2 of each mask; zeros for an empty mask."""
    predicted_iou: NDArray[np.float32]
    """(n,) float32: the model's own guess of its quality."""


class Model:
    """A network in memory."""

    def __init__(self, identity: ModelIdentity, *, memory_bytes: int) -> None:
        self.identity = identity
        self.memory_bytes = memory_bytes


class Detector(Model, ABC):
    """Finds objects of known classes; may add masks and keypoints of its own."""

    labels: tuple[str, ...]
    """Name by class id; position 0 is the background where the family has one."""

    def detect(self, images: Sequence[RgbImage], options: DetectOptions) -> list[Detections]:
        """One `Detections` per image, in order, highest score first; boxes inside the image."""
        for image in images:
            require_rgb(image)
        found = self._detect(images, options)
        if len(found) != len(images):
            raise ValueError(f"{len(found)} results for {len(images)} images")
        return found

    @abstractmethod
    def _detect(self, images: Sequence[RgbImage], options: DetectOptions) -> list[Detections]: ...


class PromptSegmenter(Model, ABC):
    """Masks of what is pointed at."""

    def embed(self, image: RgbImage) -> ImageEmbedding:
        """The expensive part, once per image."""
        require_rgb(image)
        return self._embed(image)

    def segment(self, embedding: ImageEmbedding, prompts: Prompts) -> PromptedMasks:
        """The cheap part, as often as one likes. Raises ValueError for another model's value."""
        if embedding.model != self.identity:
            raise ValueError(f"embedding of {embedding.model.name}, asked of {self.identity.name}")
        found = self._segment(embedding, prompts)
        if len(found.masks) != prompts.objects:
            raise ValueError(f"{len(found.masks)} masks for {prompts.objects} prompted objects")
        return found

    @abstractmethod
    def _embed(self, image: RgbImage) -> ImageEmbedding: ...

    @abstractmethod
    def _segment(self, embedding: ImageEmbedding, prompts: Prompts) -> PromptedMasks: ...


class MaskGenerator(Model, ABC):
    """Masks of everything in an image."""

    def generate(self, image: RgbImage, options: EverythingOptions) -> Detections:
        """Labelled `ANY_OBJECT`, with predicted_iou and stability_scores and without scores."""
        require_rgb(image)
        return self._generate(image, options)

    @abstractmethod
    def _generate(self, image: RgbImage, options: EverythingOptions) -> Detections: ...


def require_rgb(image: RgbImage) -> None:
    """Raises ValueError unless (height, width, 3) uint8."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"an image is (height, width, 3) uint8, not {image.shape} {image.dtype}")


def everything_options(
    defaults: Mapping[str, int | float], given: Mapping[str, int | float]
) -> EverythingOptions:
    """The caller's parameters over the model's over upstream's."""
    return EverythingOptions(**{**defaults, **given})  # type: ignore[arg-type]
