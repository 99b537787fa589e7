"""DETR by transformers: boxes, or with a mask head every region of the picture."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from transformers import DetrForObjectDetection, DetrForSegmentation, DetrImageProcessor

from vision.domain.detections import Detections
from vision.domain.image import ImageSize
from vision.models.base import DetectOptions, Detector, ModelIdentity
from vision.models.config_labels import class_labels
from vision.models.families import Family
from vision.models.kept_rows import kept_rows
from vision.models.pretrained import load_network, load_processor
from vision.models.regions import detections_of
from vision.models.segment_answers import panoptic_regions
from vision.models.spec import ModelSpec, Task
from vision.models.transformers_detection import Reading, TransformersDetector

EVERY_SCORE = -1.0


def load(spec: ModelSpec, folder: Path, identity: ModelIdentity) -> TransformersDetector:
    """From a folder as `save_pretrained` makes it."""
    has_masks = Task.REGIONS in spec.tasks
    network_class = DetrForSegmentation if has_masks else DetrForObjectDetection
    network = load_network(network_class, folder, spec, identity)
    processor = load_processor(DetrImageProcessor, folder, spec)
    labels = class_labels(spec, network.config)
    read = _regions(labels) if has_masks else _boxes(processor, labels)
    return TransformersDetector(network, processor, read, identity=identity, labels=labels)


def _boxes(processor: Any, labels: tuple[str, ...]) -> Reading:
    """As upstream's `post_process_object_detection`; boxes end at the picture's edge."""

    def read(outputs: Any, size: ImageSize, options: DetectOptions) -> list[Detections]:
        answers = processor.post_process_object_detection(
            SimpleNamespace(logits=outputs.logits.float(), pred_boxes=outputs.pred_boxes.float()),
            threshold=EVERY_SCORE,
            target_sizes=[(size.height, size.width)] * len(outputs.logits),
        )
        return [_detections(answer, size, labels=labels, options=options) for answer in answers]

    return read


def _detections(
    answer: Any, size: ImageSize, *, labels: tuple[str, ...], options: DetectOptions
) -> Detections:
    scores, class_ids = answer["scores"].cpu().numpy(), answer["labels"].cpu().numpy()
    kept = kept_rows(scores, class_ids, labels=labels, options=options)
    limits = np.array([size.width, size.height] * 2, np.float32)
    return Detections(
        boxes=np.clip(answer["boxes"].cpu().numpy()[kept], 0, limits),
        labels=tuple(labels[class_id] for class_id in class_ids[kept]),
        class_ids=class_ids[kept],
        scores=scores[kept],
    )


def _regions(labels: tuple[str, ...]) -> Reading:
    def read(outputs: Any, size: ImageSize, options: DetectOptions) -> list[Detections]:
        logits, masks = outputs.logits.float(), outputs.pred_masks.float()
        return [
            detections_of(
                panoptic_regions(queries, small, size, min_score=options.min_score),
                size,
                labels=labels,
                options=options,
            )
            for queries, small in zip(logits, masks, strict=True)
        ]

    return read


FAMILY = Family(loaders={Detector: load})
