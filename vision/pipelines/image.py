"""Images through detect and segment: what a worker runs and what `vision batch` runs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from vision import __version__
from vision.domain.detections import ANY_OBJECT, Detections
from vision.domain.image import RgbImage
from vision.domain.prompt import Prompts
from vision.domain.provenance import Provenance, StageProvenance
from vision.models.base import (
    DetectOptions,
    Detector,
    MaskGenerator,
    Model,
    PromptSegmenter,
    everything_options,
)
from vision.models.pool import ModelPool
from vision.pipelines.document import (
    DetectStage,
    PipelineDocument,
    PointedAt,
    SegmentStage,
)


class ImagePipeline:
    """A document with its models loaded. Cheap to make again while the pool holds the models."""

    def __init__(self, document: PipelineDocument, pool: ModelPool) -> None:
        """Raises WeightsMissing, WeightsMismatch, UnknownModel, InvalidRequest."""
        stages = (
            None if document.detect is None else _Detect(document.detect, pool),
            None if document.segment is None else _segment_stage(document.segment, pool),
        )
        self._stages = tuple(stage for stage in stages if stage is not None)
        first = self._stages[0].model.identity
        self.provenance = Provenance(
            stages=tuple(stage.provenance for stage in self._stages),
            code_version=__version__,
            device=first.device,
            precision=first.precision,
        )

    def run(self, images: Sequence[RgbImage]) -> list[Detections]:
        """One result per image, in order."""
        found = [Detections.empty() for _ in images]
        for stage in self._stages:
            found = stage.run(images, found)
        return found


class _Stage(ABC):
    """One step: images and what is known of them so far, in; what is known then, out."""

    def __init__(self, model: Model, *, stage: str, parameters: dict[str, object]) -> None:
        self.model = model
        self.provenance = StageProvenance(
            stage, model.identity.name, model.identity.weights_sha256, parameters
        )

    @abstractmethod
    def run(self, images: Sequence[RgbImage], found: list[Detections]) -> list[Detections]: ...


class _Detect(_Stage):
    def __init__(self, stage: DetectStage, pool: ModelPool) -> None:
        self._detector: Detector = pool.detector(stage.model)
        self._options = DetectOptions(
            min_score=stage.min_score,
            labels=None if stage.labels is None else frozenset(stage.labels),
            max_detections=stage.max_detections,
        )
        parameters = asdict(self._options)
        if stage.labels is not None:
            parameters["labels"] = sorted(set(stage.labels))
        super().__init__(self._detector, stage="detect", parameters=parameters)

    def run(self, images: Sequence[RgbImage], _found: list[Detections]) -> list[Detections]:
        return self._detector.detect(images, self._options)


class _SegmentBoxes(_Stage):
    """The detector's boxes become masks; boxes, labels and scores stay the detector's."""

    def __init__(self, stage: SegmentStage, pool: ModelPool) -> None:
        self._segmenter: PromptSegmenter = pool.prompt_segmenter(stage.model)
        super().__init__(self._segmenter, stage="segment", parameters={"prompt": "boxes"})

    def run(self, images: Sequence[RgbImage], found: list[Detections]) -> list[Detections]:
        return [self._cut_out(image, rows) for image, rows in zip(images, found, strict=True)]

    def _cut_out(self, image: RgbImage, rows: Detections) -> Detections:
        if not len(rows):  # nothing to cut out: spare the embedding
            return rows.with_masks((), predicted_iou=np.zeros(0, np.float32))
        embedding = self._segmenter.embed(image)
        masks = self._segmenter.segment(embedding, Prompts.from_boxes(rows.boxes))
        return rows.with_masks(masks.masks, predicted_iou=masks.predicted_iou)


class _SegmentPointedAt(_Stage):
    def __init__(self, stage: SegmentStage, prompt: PointedAt, pool: ModelPool) -> None:
        self._segmenter: PromptSegmenter = pool.prompt_segmenter(stage.model)
        self._prompts = Prompts(
            points=np.array(prompt.points, np.float32).reshape(-1, 3),
            boxes=np.array(prompt.boxes, np.float32).reshape(-1, 4),
        )
        parameters: dict[str, object] = {"prompt": prompt.model_dump(mode="json")}
        super().__init__(self._segmenter, stage="segment", parameters=parameters)

    def run(self, images: Sequence[RgbImage], _found: list[Detections]) -> list[Detections]:
        return [self._cut_out(image) for image in images]

    def _cut_out(self, image: RgbImage) -> Detections:
        masks = self._segmenter.segment(self._segmenter.embed(image), self._prompts)
        return Detections(
            boxes=masks.boxes,
            labels=(ANY_OBJECT,) * len(masks.masks),
            class_ids=np.zeros(len(masks.masks), np.int64),
            masks=masks.masks,
            predicted_iou=masks.predicted_iou,
        )


class _SegmentEverything(_Stage):
    def __init__(self, stage: SegmentStage, pool: ModelPool) -> None:
        self._generator: MaskGenerator = pool.mask_generator(stage.model)
        defaults = pool.catalogue[stage.model].everything_defaults
        self._options = everything_options(defaults, stage.everything_parameters)
        parameters = {"prompt": "everything"} | asdict(self._options)
        super().__init__(self._generator, stage="segment", parameters=parameters)

    def run(self, images: Sequence[RgbImage], _found: list[Detections]) -> list[Detections]:
        return [self._generator.generate(image, self._options) for image in images]


def _segment_stage(stage: SegmentStage, pool: ModelPool) -> _Stage:
    if stage.prompt == "boxes":
        return _SegmentBoxes(stage, pool)
    if stage.prompt == "everything":
        return _SegmentEverything(stage, pool)
    return _SegmentPointedAt(stage, stage.prompt, pool)
