"""Registering a user's own fine-tuned weights under a name of their own."""

import re
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from vision.errors import FieldError, InvalidRequest, WeightsMismatch
from vision.models.catalogue import Catalogue, listed_specs
from vision.models.checksums import file_sha256
from vision.models.files import copy_durably
from vision.models.fitting import fitting_labels
from vision.models.own_models import (
    NAME_PATTERN,
    OWN_CATALOGUE,
    OWN_FOLDER,
    OwnModel,
    read_own_models,
    write_own_models,
)
from vision.models.snapshots import (
    SnapshotLock,
    copy_files,
    data_files,
    files_hashes,
    labels_in_config,
    put_in_place,
    staging,
    write_lock,
)
from vision.models.spec import NO_CLASS, ModelSpec, SnapshotSpec, files_sha256, listing_sha256

SUFFIXES = (".safetensors", ".pth", ".pt")
HASH_DIGITS = 8
"""Of the content's hash in its stored name: replacing a model never changes a file in use."""


def add_model(
    models_dir: Path, name: str, *, like: str, file: Path, labels: Sequence[str] = ()
) -> ModelSpec:
    """Check that the weights are whole and fit, copy them, and write them into the user's
    catalogue: a file, or a folder where the listed model has one.

    `labels` are the classes in the order of their ids, with or without the background; empty
    takes those of the folder's config.json, else those of `like`. An earlier model of the user's
    by this name is replaced. Raises InvalidRequest, UnknownModel, WeightsMismatch.
    """
    listed = Catalogue(models_dir / OWN_CATALOGUE)[like]
    _require_sound_request(name, listed, file, labels)
    own_file = models_dir / OWN_CATALOGUE
    models = dict(read_own_models(own_file, known=frozenset(listed_specs())))
    replaced = models.get(name)
    take = _folder_taken_in if file.is_dir() else _file_taken_in
    models[name] = model = take(models_dir, name, listed, file, tuple(labels))
    write_own_models(own_file, models)
    if replaced is not None and replaced.file != model.file:
        _remove(models_dir / replaced.file)
    return Catalogue(own_file)[name]


def read_labels(source: str) -> tuple[str, ...]:
    """From a text file with one label per line, or from a list with commas."""
    path = Path(source)
    lines = path.read_text("utf-8").splitlines() if path.is_file() else source.split(",")
    return tuple(line.strip() for line in lines if line.strip())


def _require_sound_request(name: str, listed: ModelSpec, file: Path, labels: Sequence[str]) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise _wrong("name", f"{name!r}: letters, digits, dot, dash and underscore, 63 at most")
    if name in listed_specs():
        raise _wrong("name", f"{name} is a listed model; choose a name of your own")
    if listed.like is not None:
        raise _wrong("like", f"{listed.name} is your own; name the listed model, {listed.like}")
    _require_right_kind(listed, file)
    if labels and not listed.names_things:
        raise _wrong("labels", f"{listed.name} names nothing, so its like takes no labels")
    if len(set(labels) - NO_CLASS) != len([label for label in labels if label not in NO_CLASS]):
        raise _wrong("labels", "a label stands there twice")


def _require_right_kind(listed: ModelSpec, file: Path) -> None:
    if isinstance(listed.weights, SnapshotSpec):
        if not file.is_dir():
            raise _wrong("file", f"{file} is not a folder, as the weights of {listed.name} are")
    elif not file.is_file() or file.suffix not in SUFFIXES:
        raise _wrong("file", f"{file} is not a file ending in {', '.join(SUFFIXES)}")


def _file_taken_in(
    models_dir: Path, name: str, listed: ModelSpec, file: Path, labels: tuple[str, ...]
) -> OwnModel:
    sha256 = file_sha256(file)
    by_class_id = fitting_labels(listed, file, labels or listed.labels)
    stored = f"{OWN_FOLDER}/{name}-{sha256[:HASH_DIGITS]}{file.suffix}"
    (models_dir / OWN_FOLDER).mkdir(parents=True, exist_ok=True)
    copy_durably(file, models_dir / stored, check=partial(_require_unchanged, sha256=sha256))
    return OwnModel(
        like=listed.name,
        file=stored,
        sha256=sha256,
        size_bytes=file.stat().st_size,
        labels=by_class_id,
    )


def _folder_taken_in(
    models_dir: Path, name: str, listed: ModelSpec, folder: Path, labels: tuple[str, ...]
) -> OwnModel:
    """What is checked is the copy: the folder may change meanwhile."""
    names = data_files(folder)
    with staging(models_dir / OWN_FOLDER / name) as stage:
        copy_files(folder, stage, names)
        hashes = files_hashes(stage, names)
        by_class_id = fitting_labels(listed, stage, labels or _labels_of(stage, listed))
        # Of all files: the same tensors with another configuration are another folder.
        stored = f"{OWN_FOLDER}/{name}-{listing_sha256(hashes)[:HASH_DIGITS]}"
        size_bytes = sum((stage / file).stat().st_size for file in names)
        write_lock(stage, SnapshotLock(hashes))
        put_in_place(stage, models_dir / stored)
    return OwnModel(
        like=listed.name,
        file=stored,
        sha256=files_sha256(hashes),
        size_bytes=size_bytes,
        files=hashes,
        labels=by_class_id,
    )


def _labels_of(folder: Path, listed: ModelSpec) -> tuple[str, ...]:
    if not listed.names_things:
        return ()
    return labels_in_config(folder) or listed.labels


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _require_unchanged(copy: Path, *, sha256: str) -> None:
    if file_sha256(copy) != sha256:
        raise WeightsMismatch("the file changed while it was copied; try again")


def _wrong(field: str, detail: str) -> InvalidRequest:
    return InvalidRequest(detail, (FieldError(field, detail),))
