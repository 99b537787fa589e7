"""A pipeline as people name it on the command line, and whether this machine can run it."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from vision.engine.parts import models_dir
from vision.errors import InvalidPipeline
from vision.models.catalogue import Catalogue
from vision.models.own_models import OWN_CATALOGUE
from vision.models.weights import WeightsStore
from vision.pipelines.document import PipelineDocument
from vision.pipelines.named import resolve
from vision.pipelines.plan import check, models_of
from vision.settings import Settings

FILE_SUFFIXES = (".yaml", ".yml", ".json")

PipelineOption = Annotated[
    str, typer.Option("--pipeline", "-p", help="A shipped pipeline's name, or a YAML or JSON file.")
]


def pipeline_from(text: str) -> object:
    """The name, or the document of the file, not yet checked. Raises InvalidPipeline."""
    path = Path(text)
    if path.suffix.lower() not in FILE_SUFFIXES and not path.is_file():
        return text
    try:
        # JSON is YAML, so one reader serves both.
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidPipeline(f"can't read the pipeline file {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidPipeline(f"{path} is neither YAML nor JSON") from error


def runnable_here(asked: object, settings: Settings) -> PipelineDocument:
    """The checked document. Raises InvalidPipeline, and WeightsMissing naming the remedy.

    Without torch: what can't run is known at once and not after seconds of imports.
    """
    folder = models_dir(settings)
    catalogue = Catalogue.load(folder / OWN_CATALOGUE)
    document = resolve(asked)
    check(document, catalogue)
    weights = WeightsStore(folder)
    for name in models_of(document):
        weights.path(catalogue[name])
    return document
