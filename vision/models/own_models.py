"""The user's own models: the file `catalogue.yaml` in the models folder. No torch."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vision.errors import OperatorError
from vision.models.snapshots import FILE_NAME

OWN_CATALOGUE = "catalogue.yaml"
OWN_FOLDER = "own"
"""Under the models folder, so that no name of the user's meets a listed file."""
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"

Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class OwnModel(BaseModel):
    """A user's weights for a listed network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    like: str
    file: Annotated[str, Field(pattern=r"^own/[A-Za-z0-9][A-Za-z0-9_.-]{0,80}$")]
    """Inside the models folder: a file, or a folder with `files`."""
    sha256: Sha256
    size_bytes: int
    files: dict[Annotated[str, Field(pattern=rf"^{FILE_NAME.pattern}$")], Sha256] | None = None
    """Of a folder: name to SHA-256."""
    labels: tuple[str, ...] = ()
    """By class id, with the background where the network has one."""


class _OwnCatalogue(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    models: dict[Annotated[str, Field(pattern=NAME_PATTERN)], OwnModel] = {}


def read_own_models(file: Path, *, known: frozenset[str]) -> Mapping[str, OwnModel]:
    """By name; empty without the file. Raises OperatorError naming file and fault.

    `known` are the listed models: none may be hidden, and `like` is one of them.
    """
    if not file.is_file():
        return {}
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        models = _OwnCatalogue.model_validate(document or {}).models
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise OperatorError(f"{file} is not a catalogue of your own models: {wrong}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OperatorError(f"{file} is not a catalogue of your own models: {error}") from error
    for name, model in models.items():
        if name in known or model.like not in known:
            raise OperatorError(f"{file}: {name} must be a new name, like a listed model")
    return models


def write_own_models(file: Path, models: Mapping[str, OwnModel]) -> None:
    """Replace the file in one step."""
    document = {"models": {name: _document(model) for name, model in models.items()}}
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}.new")
    fresh.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    fresh.replace(file)


def _document(model: OwnModel) -> dict[str, object]:
    return model.model_dump(mode="json", exclude_none=True)
