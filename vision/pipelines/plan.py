"""Whether a pipeline document can run with the models of a catalogue. No torch, no weights."""

from collections.abc import Iterator

from vision.errors import FieldError, InvalidPipeline, UnknownModel
from vision.models.catalogue import Catalogue
from vision.models.spec import ModelSpec, Task
from vision.pipelines.document import DetectStage, PipelineDocument, SegmentStage


def check(document: PipelineDocument, catalogue: Catalogue) -> None:
    """Raises InvalidPipeline naming every wrong field."""
    errors = tuple(_errors(document, catalogue))
    if errors:
        details = "; ".join(f"{error.field}: {error.detail}" for error in errors)
        raise InvalidPipeline(f"the pipeline can't run: {details}", errors)


def models_of(document: PipelineDocument) -> tuple[str, ...]:
    """The names of the models it runs, each once, in order of use."""
    stages = (document.detect, document.segment)
    return tuple(dict.fromkeys(stage.model for stage in stages if stage is not None))


def _errors(document: PipelineDocument, catalogue: Catalogue) -> Iterator[FieldError]:
    if document.detect is not None:
        yield from _detect_errors(document.detect, catalogue)
    if document.segment is not None:
        yield from _segment_errors(document.segment, catalogue)


def _detect_errors(stage: DetectStage, catalogue: Catalogue) -> Iterator[FieldError]:
    try:
        spec = catalogue[stage.model]
    except UnknownModel as error:
        yield FieldError("detect.model", str(error))
        return
    if Task.DETECT not in spec.tasks:
        yield _unable("detect.model", spec, Task.DETECT, catalogue)
        return
    unknown = sorted(set(stage.labels or ()) - set(spec.reportable_labels))
    if unknown:
        names = ", ".join(map(repr, unknown))
        yield FieldError("detect.labels", f"{spec.name} doesn't know {names}")


def _segment_errors(stage: SegmentStage, catalogue: Catalogue) -> Iterator[FieldError]:
    try:
        spec = catalogue[stage.model]
    except UnknownModel as error:
        yield FieldError("segment.model", str(error))
        return
    task = Task.EVERYTHING if stage.prompt == "everything" else Task.SEGMENT
    if task not in spec.tasks:
        yield _unable("segment.model", spec, task, catalogue)


def _unable(field: str, spec: ModelSpec, task: Task, catalogue: Catalogue) -> FieldError:
    able = ", ".join(other.name for other in catalogue.specs if task in other.tasks)
    return FieldError(field, f"{spec.name} can't do {task}; these can: {able}")
