"""A pipeline as people name it on the command line: by name, or by a YAML or JSON file."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from vision.errors import InvalidPipeline

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
