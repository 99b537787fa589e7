"""Whether a pipeline document can run with the models of a catalogue. No torch, no weights."""

from collections.abc import Iterator

from vision.errors import FieldError, InvalidPipeline, UnknownModel
from vision.models.catalogue import Catalogue
from vision.models.spec import ModelSpec, Task
from vision.pipelines.document import ModelStage, PipelineDocument
from vision.pipelines.stages import (
    ClassifyStage,
    DetectStage,
    EmbedStage,
    FollowStage,
    Named,
    SegmentStage,
)


def check(document: PipelineDocument, catalogue: Catalogue) -> None:
    """Raises InvalidPipeline naming every wrong field."""
    errors = tuple(_errors(document, catalogue))
    if errors:
        details = "; ".join(f"{error.field}: {error.detail}" for error in errors)
        raise InvalidPipeline(f"the pipeline can't run: {details}", errors)


def models_of(document: PipelineDocument) -> tuple[str, ...]:
    """The names of the models it runs, each once, in order of use."""
    return tuple(dict.fromkeys(stage.model for _, stage in document.model_stages))


def _errors(document: PipelineDocument, catalogue: Catalogue) -> Iterator[FieldError]:
    for name, stage in document.model_stages:
        try:
            spec = catalogue[stage.model]
        except UnknownModel as error:
            yield FieldError(f"{name}.model", str(error))
            continue
        tasks = _tasks_for(stage)
        if tasks.isdisjoint(spec.tasks):
            yield _unable(f"{name}.model", spec, tasks, catalogue)
        elif isinstance(stage, DetectStage):
            yield from _label_errors(stage, spec)
        elif isinstance(stage, SegmentStage) and stage.mode == "fast":
            yield from _mode_errors(spec, catalogue)
        elif isinstance(stage, ClassifyStage) and stage.clip_seconds is not None:
            yield from _clip_errors(spec)


def _label_errors(stage: DetectStage, spec: ModelSpec) -> Iterator[FieldError]:
    if spec.labels_from_config and not spec.labels:
        return  # known when its weights are here; without them it can't run anyway
    unknown = sorted(set(stage.labels or ()) - set(spec.reportable_labels))
    if unknown:
        names = ", ".join(map(repr, unknown))
        yield FieldError("detect.labels", f"{spec.name} doesn't know {names}")


def _clip_errors(spec: ModelSpec) -> Iterator[FieldError]:
    if Task.ACTIONS not in spec.tasks:
        yield FieldError("classify.clip_seconds", f"{spec.name} looks at single pictures")


def _mode_errors(spec: ModelSpec, catalogue: Catalogue) -> Iterator[FieldError]:
    if Task.EVERYTHING_FAST not in spec.tasks:
        yield _unable("segment.mode", spec, frozenset({Task.EVERYTHING_FAST}), catalogue)


def _tasks_for(stage: ModelStage) -> frozenset[Task]:
    """Any one of them serves the stage."""
    match stage:
        case DetectStage():
            return frozenset({Task.DETECT})
        case SegmentStage(prompt="everything"):
            return frozenset({Task.EVERYTHING})
        case SegmentStage(prompt=Named()):
            return frozenset({Task.CONCEPTS})
        case SegmentStage():
            return frozenset({Task.SEGMENT})
        case FollowStage():
            return frozenset({Task.FOLLOW_CONCEPTS if stage.text else Task.FOLLOW})
        case EmbedStage():
            return frozenset({Task.EMBED})
        case ClassifyStage():
            return frozenset({Task.CLASSIFY, Task.ACTIONS})


def _unable(
    field: str, spec: ModelSpec, tasks: frozenset[Task], catalogue: Catalogue
) -> FieldError:
    able = ", ".join(one.name for one in catalogue.specs if not tasks.isdisjoint(one.tasks))
    wanted = " or ".join(sorted(tasks))
    return FieldError(field, f"{spec.name} can't do {wanted}; these can: {able}")
