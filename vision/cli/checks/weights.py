"""Weights files: which are here, and how to get those that aren't."""

from collections.abc import Iterator

from vision.cli.checks.finding import Finding, missing, ok, warn
from vision.engine.parts import models_dir
from vision.errors import OperatorError
from vision.models.catalogue import Catalogue
from vision.models.own_models import OWN_CATALOGUE
from vision.models.weights import WeightsStore
from vision.pipelines.document import PipelineDocument
from vision.pipelines.named import NAMED
from vision.settings import Settings


def weights(settings: Settings) -> Iterator[Finding]:
    """Those in the package, those of the named pipelines, and how many more there are."""
    folder = models_dir(settings)
    try:
        catalogue = Catalogue.load(folder / OWN_CATALOGUE)
    except OperatorError as error:
        yield missing("models", str(error), f"correct or remove {folder / OWN_CATALOGUE}")
        return
    store = WeightsStore(folder)
    present = [spec.name for spec in catalogue.specs if store.is_present(spec)]
    summary = f"{len(present)} of {len(catalogue.specs)} have weights: {', '.join(present)}"
    yield ok("models", summary)
    for spec in catalogue.specs:
        if spec.weights.shipped and spec.name not in present:
            advice = "it is part of the package: install the package again"
            yield missing(spec.name, "its weights file is gone", advice)
    yield from _pipelines(catalogue, frozenset(present))


def _pipelines(catalogue: Catalogue, present: frozenset[str]) -> Iterator[Finding]:
    for pipeline in NAMED.values():
        absent = [name for name in _models(pipeline.document) if name not in present]
        # A shipped file that is gone has its own line, and no command fetches it.
        to_pull = [name for name in absent if not catalogue[name].weights.shipped]
        if to_pull:
            commands = "; ".join(f"vision models pull {name}" for name in to_pull)
            detail = f"no weights here of {' and '.join(to_pull)}"
            yield warn(f"pipeline {pipeline.name}", detail, commands)


def _models(document: PipelineDocument) -> list[str]:
    stages = (document.detect, document.segment)
    return [stage.model for stage in stages if stage is not None]
