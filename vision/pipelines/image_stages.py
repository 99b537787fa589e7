"""The stages that look at one picture at a time, each with its model in memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import asdict, replace
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from vision.domain.concept import Concepts
from vision.domain.detections import ANY_OBJECT, Detections
from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.prompt import Prompts
from vision.domain.provenance import StageProvenance
from vision.models.base import (
    Classifier,
    ClassifyOptions,
    ConceptOptions,
    ConceptSegmenter,
    DetectOptions,
    Detector,
    Embedder,
    ImageEmbedding,
    MaskGenerator,
    Model,
    PromptSegmenter,
    everything_options,
)
from vision.models.pool import ModelPool
from vision.pipelines.crops import crops_in_groups
from vision.pipelines.document import PipelineDocument
from vision.pipelines.stages import (
    ClassifyStage,
    DetectStage,
    EmbedStage,
    Named,
    PointedAt,
    SegmentStage,
)
from vision.pipelines.tiling import detect_in_tiles

M_co = TypeVar("M_co", bound=Model, covariant=True)


class StageRun(ABC, Generic[M_co]):
    """One step: images and what is known of them so far, in; what is known then, out."""

    def __init__(self, model: M_co, *, stage: str, parameters: dict[str, object]) -> None:
        self.model = model
        self.provenance = StageProvenance(
            stage, model.identity.name, model.identity.weights_sha256, parameters
        )

    def for_frames(self) -> Self:
        """The same of a video's frames: nothing that they need is kept, they don't come again."""
        other = copy(self)
        other.model = self.model.forgetful
        return other

    @abstractmethod
    def run(self, images: Sequence[RgbImage], found: Sequence[Findings]) -> list[Findings]:
        """One per image, in order."""


class DetectRun(StageRun[Detector]):
    """Objects of known classes, in the whole picture or tile by tile."""

    def __init__(self, stage: DetectStage, pool: ModelPool) -> None:
        model = pool.get(stage.model, Detector)
        self._tiles = stage.tile
        self._options = DetectOptions(
            min_score=stage.min_score,
            labels=None if stage.labels is None else frozenset(stage.labels),
            max_detections=stage.max_detections,
        )
        parameters = asdict(self._options)
        if stage.labels is not None:
            parameters["labels"] = sorted(set(stage.labels))
        if stage.tile is not None:
            parameters["tile"] = stage.tile.model_dump(mode="json")
        super().__init__(model, stage="detect", parameters=parameters)

    def run(self, images: Sequence[RgbImage], found: Sequence[Findings]) -> list[Findings]:
        rows = self._detections(images)
        return [replace(one, detections=row) for one, row in zip(found, rows, strict=True)]

    def _detections(self, images: Sequence[RgbImage]) -> list[Detections]:
        if self._tiles is None:
            return self.model.detect(images, self._options)
        return [detect_in_tiles(self.model, image, self._options, self._tiles) for image in images]


class SegmentBoxesRun(StageRun[PromptSegmenter]):
    """The detector's boxes become masks; boxes, labels and scores stay the detector's."""

    def __init__(self, stage: SegmentStage, pool: ModelPool) -> None:
        model = pool.get(stage.model, PromptSegmenter)
        super().__init__(model, stage="segment", parameters={"prompt": "boxes"})

    def run(self, images: Sequence[RgbImage], found: Sequence[Findings]) -> list[Findings]:
        cut = [image for image, one in zip(images, found, strict=True) if len(one.detections)]
        embeddings = self.model.embed_each(cut)
        return [replace(one, detections=self._cut_out(one.detections, embeddings)) for one in found]

    def _cut_out(self, rows: Detections, embeddings: Iterator[ImageEmbedding]) -> Detections:
        """The next embedding is of the next image with boxes: there are none of the others."""
        if not len(rows):
            return rows.with_masks((), predicted_iou=np.zeros(0, np.float32))
        masks = self.model.segment(next(embeddings), Prompts.from_boxes(rows.boxes))
        return rows.with_masks(masks.masks, predicted_iou=masks.predicted_iou)


class _EachImageRun(StageRun[M_co]):
    """A stage that needs nothing but the picture."""

    def run(self, images: Sequence[RgbImage], found: Sequence[Findings]) -> list[Findings]:
        return [
            replace(one, detections=self._detections(image))
            for image, one in zip(images, found, strict=True)
        ]

    @abstractmethod
    def _detections(self, image: RgbImage) -> Detections: ...


class SegmentPointedAtRun(StageRun[PromptSegmenter]):
    """What clicks and boxes point at."""

    def __init__(self, stage: SegmentStage, prompt: PointedAt, pool: ModelPool) -> None:
        model = pool.get(stage.model, PromptSegmenter)
        self._prompts = Prompts(
            points=np.array(prompt.points, np.float32).reshape(-1, 3),
            boxes=np.array(prompt.boxes, np.float32).reshape(-1, 4),
        )
        parameters: dict[str, object] = {"prompt": prompt.model_dump(mode="json")}
        super().__init__(model, stage="segment", parameters=parameters)

    def run(self, images: Sequence[RgbImage], found: Sequence[Findings]) -> list[Findings]:
        embeddings = self.model.embed_each(images)
        return [
            replace(one, detections=self._detections(embedding))
            for one, embedding in zip(found, embeddings, strict=True)
        ]

    def _detections(self, embedding: ImageEmbedding) -> Detections:
        masks = self.model.segment(embedding, self._prompts)
        return Detections(
            boxes=masks.boxes,
            labels=(ANY_OBJECT,) * len(masks.masks),
            class_ids=np.zeros(len(masks.masks), np.int64),
            masks=masks.masks,
            predicted_iou=masks.predicted_iou,
        )


class SegmentEverythingRun(_EachImageRun[MaskGenerator]):
    """A mask of everything."""

    def __init__(self, stage: SegmentStage, pool: ModelPool) -> None:
        model = pool.get(stage.model, MaskGenerator)
        defaults = pool.catalogue[stage.model].everything_defaults
        self._options = everything_options(defaults, stage.everything_parameters)
        parameters = {"prompt": "everything"} | asdict(self._options)
        super().__init__(model, stage="segment", parameters=parameters)

    def _detections(self, image: RgbImage) -> Detections:
        return self.model.generate(image, self._options)


class SegmentNamedRun(_EachImageRun[ConceptSegmenter]):
    """Everything that words name or examples show."""

    def __init__(self, stage: SegmentStage, prompt: Named, pool: ModelPool) -> None:
        model = pool.get(stage.model, ConceptSegmenter)
        examples = np.array(prompt.examples, np.float32).reshape(-1, 5)
        self._concepts = Concepts(prompt.text, examples)
        self._options = ConceptOptions(prompt.min_score, prompt.max_detections)
        parameters: dict[str, object] = {"prompt": prompt.model_dump(mode="json")}
        super().__init__(model, stage="segment", parameters=parameters)

    def _detections(self, image: RgbImage) -> Detections:
        return self.model.find(image, self._concepts, self._options)


class EmbedRun(StageRun[Embedder]):
    """A vector for each picture, or for what lies in each box."""

    def __init__(self, stage: EmbedStage, pool: ModelPool) -> None:
        model = pool.get(stage.model, Embedder)
        self._of = stage.of
        super().__init__(model, stage="embed", parameters={"of": stage.of})

    def run(self, images: Sequence[RgbImage], found: Sequence[Findings]) -> list[Findings]:
        if not images:
            return []
        if self._of == "image":
            vectors = self.model.embed(images)
            return [replace(one, embedding=row) for one, row in zip(found, vectors, strict=True)]
        rows = [one.detections for one in found]
        vectors = self._vectors(images, [one.boxes for one in rows])
        ends = np.cumsum([len(one) for one in rows])[:-1]
        return [
            replace(one, detections=one.detections.with_embeddings(some))
            for one, some in zip(found, np.split(vectors, ends), strict=True)
        ]

    def _vectors(
        self, images: Sequence[RgbImage], boxes: Sequence[NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """(n, dimensions) of the boxes of all pictures, one after the other."""
        groups = crops_in_groups(images, boxes)
        none = np.zeros((0, self.model.dimensions), np.float32)
        return np.concatenate([none, *(self.model.embed(crops) for crops in groups)])


class ClassifyRun(StageRun[Classifier]):
    """Names for each picture."""

    def __init__(self, stage: ClassifyStage, pool: ModelPool) -> None:
        model = pool.get(stage.model, Classifier)
        self._options = ClassifyOptions(stage.top, stage.min_score)
        super().__init__(model, stage="classify", parameters=asdict(self._options))

    def run(self, images: Sequence[RgbImage], found: Sequence[Findings]) -> list[Findings]:
        said = self.model.classify(images, self._options)
        return [replace(one, classes=row) for one, row in zip(found, said, strict=True)]


def opened_stages(document: PipelineDocument, pool: ModelPool) -> tuple[StageRun[Model], ...]:
    """Those of the document that look at single pictures, in their order, with models loaded.

    Raises WeightsMissing, WeightsMismatch, UnknownModel, MissingDependency, InvalidRequest.
    """
    return tuple(_opened(document, pool))


def _opened(document: PipelineDocument, pool: ModelPool) -> Iterator[StageRun[Model]]:
    if document.detect is not None:
        yield DetectRun(document.detect, pool)
    if document.segment is not None:
        yield _segment_run(document.segment, pool)
    if document.embed is not None:
        yield EmbedRun(document.embed, pool)
    if document.classify is not None:
        yield ClassifyRun(document.classify, pool)


def _segment_run(stage: SegmentStage, pool: ModelPool) -> StageRun[Model]:
    match stage.prompt:
        case "boxes":
            return SegmentBoxesRun(stage, pool)
        case "everything":
            return SegmentEverythingRun(stage, pool)
        case Named() as prompt:
            return SegmentNamedRun(stage, prompt, pool)
        case PointedAt() as prompt:
            return SegmentPointedAtRun(stage, prompt, pool)
