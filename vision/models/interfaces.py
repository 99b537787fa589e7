"""Which interface a model of each task has. No torch."""

from collections.abc import Mapping
from types import MappingProxyType

from vision.models.base import (
    Classifier,
    ClipClassifier,
    ConceptSegmenter,
    Detector,
    Embedder,
    MaskGenerator,
    Model,
    PromptSegmenter,
    TextEmbedder,
)
from vision.models.spec import ModelSpec, Task
from vision.models.video import ConceptFollower, VideoSegmenter

INTERFACES: Mapping[Task, type[Model]] = MappingProxyType(
    {
        Task.DETECT: Detector,
        Task.SEGMENT: PromptSegmenter,
        Task.EVERYTHING: MaskGenerator,
        Task.CONCEPTS: ConceptSegmenter,
        Task.FOLLOW: VideoSegmenter,
        Task.FOLLOW_CONCEPTS: ConceptFollower,
        Task.CLASSIFY: Classifier,
        Task.ACTIONS: ClipClassifier,
        Task.EMBED: Embedder,
        Task.EMBED_TEXT: TextEmbedder,
    }
)
"""The other tasks say what a detector's answer has beside boxes."""


def interfaces_of(spec: ModelSpec) -> tuple[type[Model], ...]:
    """Of all that the model can be asked, in the order of the tasks."""
    return tuple(kind for task, kind in INTERFACES.items() if task in spec.tasks)
