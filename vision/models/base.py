"""What every model of a task promises. Families derive from these and write the private method.

Constructed means ready: weights are loaded, the network is on its device, in evaluation mode.
Nothing here imports torch, so that a pipeline can be checked where no model can run.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from vision.domain.concept import Concepts
from vision.domain.detections import Detections
from vision.domain.findings import Classes, unit_length
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.domain.prompt import Prompts
from vision.models.batch_sizes import BatchSizes
from vision.models.embedding_store import EmbeddingStore

IMAGES_PER_ENCODE = 8
"""Whose features are computed together at most: 170 MB of SAM 3, which has the largest."""


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
    """`SamAutomaticMaskGenerator`'s parameters, by segment-anything 1.0's names and defaults; and
    how its masks are computed.
    """

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
    mode: str = "exact"
    """exact: upstream's bits; fast: upstream's masks but for rounding, sooner."""

    def upstreams(self) -> dict[str, int | float]:
        """Those that upstream has."""
        return {name: value for name, value in asdict(self).items() if name != "mode"}


@dataclass(frozen=True, slots=True, eq=False)
class ImageEmbedding:
    """What a promptable model computes once per image: a value, kept and asked again."""

    size: ImageSize
    """Of the image it was made from."""
    model: ModelIdentity
    features: object
    """The family's own form; only the model that made it reads it."""
    memory_bytes: int
    """Of the features, which share no memory with another image's."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptedMasks:
    """One mask per prompted object: first the points' object, if any, then the boxes' in order."""

    masks: tuple[RleMask, ...]
    boxes: NDArray[np.float32]
    """(n, 4) float32: the tight x1, y1, x2, y2 of each mask; zeros for an empty mask."""
    predicted_iou: NDArray[np.float32]
    """(n,) float32: the model's own guess of its quality."""


@dataclass(frozen=True, slots=True)
class ConceptOptions:
    """What to keep of what words and examples found."""

    min_score: float = 0.5
    max_detections: int = 300


@dataclass(frozen=True, slots=True)
class ClassifyOptions:
    """What to keep of a classifier's answer."""

    top: int = 5
    min_score: float = 0.0


class Model:
    """A network in memory."""

    unable: ClassVar[str] = "is no model of any task"
    """Said after the name of a model that is none of this kind."""

    def __init__(self, identity: ModelIdentity, *, memory_bytes: int) -> None:
        self.identity = identity
        self.memory_bytes = memory_bytes
        self.batch_sizes = BatchSizes()
        """The pool's own once it has the model: what was found then outlives the process."""
        self.is_compiled = False
        """Whether what gains by it is compiled when it is first used; the pool says so."""

    @property
    def forgetful(self) -> Self:
        """The same network, which remembers no image: for frames, which are never asked again."""
        return self


class Detector(Model, ABC):
    """Finds objects of known classes; may add masks and keypoints of its own."""

    unable = "doesn't detect"

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

    unable = "doesn't segment what is pointed at"

    def __init__(self, identity: ModelIdentity, *, memory_bytes: int) -> None:
        super().__init__(identity, memory_bytes=memory_bytes)
        self.embeddings = EmbeddingStore(memory_bytes=0)
        """The pool's own once it has the model: alone, a model keeps none."""

    @cached_property
    def forgetful(self) -> Self:
        other = copy(self)
        other.embeddings = EmbeddingStore(memory_bytes=0)
        return other

    def embed(self, image: RgbImage) -> ImageEmbedding:
        """The expensive part, once per image."""
        return self.embed_all([image])[0]

    def embed_all(self, images: Sequence[RgbImage]) -> list[ImageEmbedding]:
        """One per image, in order. An image that is known from before, or that is among them twice,
        isn't computed again; on a GPU several of the others share a pass.

        All of them are in memory then; see `embed_each`.
        """
        for image in images:
            require_rgb(image)
        return self.embeddings.each(images, model=self.identity, embed=self._embed)

    def embed_each(self, images: Sequence[RgbImage]) -> Iterator[ImageEmbedding]:
        """The same of many, when asked for: `IMAGES_PER_ENCODE` are in memory at a time."""
        for start in range(0, len(images), IMAGES_PER_ENCODE):
            yield from self.embed_all(images[start : start + IMAGES_PER_ENCODE])

    def segment(self, embedding: ImageEmbedding, prompts: Prompts) -> PromptedMasks:
        """The cheap part, as often as one likes. Raises ValueError for another model's value."""
        if embedding.model != self.identity:
            raise ValueError(f"embedding of {embedding.model.name}, asked of {self.identity.name}")
        found = self._segment(embedding, prompts)
        if len(found.masks) != prompts.objects:
            raise ValueError(f"{len(found.masks)} masks for {prompts.objects} prompted objects")
        return found

    @abstractmethod
    def _embed(self, images: Sequence[RgbImage]) -> list[ImageEmbedding]: ...

    @abstractmethod
    def _segment(self, embedding: ImageEmbedding, prompts: Prompts) -> PromptedMasks: ...


class MaskGenerator(Model, ABC):
    """Masks of everything in an image."""

    unable = "doesn't segment everything"

    def generate(self, image: RgbImage, options: EverythingOptions) -> Detections:
        """Labelled `ANY_OBJECT`, with predicted_iou and stability_scores and without scores."""
        require_rgb(image)
        return self._generate(image, options)

    @abstractmethod
    def _generate(self, image: RgbImage, options: EverythingOptions) -> Detections: ...


class ConceptSegmenter(Model, ABC):
    """Boxes and masks of everything that words name or examples show."""

    unable = "finds nothing by words"

    def find(self, image: RgbImage, concepts: Concepts, options: ConceptOptions) -> Detections:
        """Highest score first, with masks; labelled by the word, or ANY_OBJECT by examples alone.

        `class_ids` are the positions of the words. A thing that two words name is there twice.
        """
        require_rgb(image)
        return self._find(image, concepts, options)

    @abstractmethod
    def _find(self, image: RgbImage, concepts: Concepts, options: ConceptOptions) -> Detections: ...


class Classifier(Model, ABC):
    """Names a picture as a whole."""

    unable = "doesn't classify pictures"

    labels: tuple[str, ...]
    """Name by class id."""

    def classify(self, images: Sequence[RgbImage], options: ClassifyOptions) -> list[Classes]:
        """One answer per image, in order: at most `top` classes, none below `min_score`."""
        for image in images:
            require_rgb(image)
        said = [kept_classes(row, self.labels, options) for row in self._scores(images)]
        if len(said) != len(images):
            raise ValueError(f"{len(said)} results for {len(images)} images")
        return said

    @abstractmethod
    def _scores(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        """(images, classes) float32."""


class ClipClassifier(Model, ABC):
    """Names what happens in a short stretch of video."""

    unable = "doesn't classify stretches of video"

    labels: tuple[str, ...]
    """Name by class id."""
    clip_frames: int
    """How many frames it looks at together."""

    def classify(self, frames: Sequence[RgbImage], options: ClassifyOptions) -> Classes:
        """Of frames in order of time, all of one size. With more or fewer than `clip_frames`, so
        many are taken of them at equal steps, the first and the last included.
        """
        if not frames:
            raise ValueError("a clip has at least one frame")
        for frame in frames:
            require_rgb(frame)
        steps = np.linspace(0, len(frames) - 1, self.clip_frames).round().astype(int)
        return kept_classes(self._scores([frames[step] for step in steps]), self.labels, options)

    @abstractmethod
    def _scores(self, clip: Sequence[RgbImage]) -> NDArray[np.float32]:
        """(classes,) float32, of exactly `clip_frames` frames."""


class Embedder(Model, ABC):
    """Pictures to vectors: similar pictures lie near each other."""

    unable = "makes no vectors of pictures"

    dimensions: int

    def embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        """(n, dimensions) float32, each of length 1."""
        for image in images:
            require_rgb(image)
        if not images:
            return np.zeros((0, self.dimensions), np.float32)
        return unit_length(self._embed(images))

    @abstractmethod
    def _embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        """(n, dimensions), of any length."""


class TextEmbedder(Embedder, ABC):
    """Pictures and words to vectors in the same space."""

    unable = "makes no vectors of words"

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimensions) float32, each of length 1."""
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        return unit_length(self._embed_text(texts))

    @abstractmethod
    def _embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimensions), of any length."""


def kept_classes(
    scores: NDArray[np.float32], labels: Sequence[str], options: ClassifyOptions
) -> Classes:
    """The best of (classes,) scores; equal ones in order of their class ids."""
    best = np.argsort(-scores, kind="stable")[: options.top]
    kept = best[scores[best] >= options.min_score]
    return Classes(
        labels=tuple(labels[class_id] for class_id in kept),
        class_ids=kept.astype(np.int64),
        scores=scores[kept].astype(np.float32),
    )


def require_rgb(image: RgbImage) -> None:
    """Raises ValueError unless (height, width, 3) uint8."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"an image is (height, width, 3) uint8, not {image.shape} {image.dtype}")


def everything_options(
    defaults: Mapping[str, int | float], given: Mapping[str, int | float | str]
) -> EverythingOptions:
    """The caller's parameters over the model's over upstream's."""
    return EverythingOptions(**{**defaults, **given})  # type: ignore[arg-type]
