"""Registering a user's own fine-tuned weights under a name of their own."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn

from vision.errors import FieldError, InvalidRequest, WeightsMismatch
from vision.models import torchvision_networks
from vision.models.base import ModelIdentity
from vision.models.catalogue import Catalogue, listed_specs
from vision.models.checksums import file_sha256
from vision.models.demo_networks import build_demo_maskrcnn
from vision.models.files import copy_durably
from vision.models.interfaces import interfaces_of
from vision.models.loading import loader_for
from vision.models.own_models import (
    NAME_PATTERN,
    OWN_CATALOGUE,
    OWN_FOLDER,
    OwnModel,
    read_own_models,
    write_own_models,
)
from vision.models.spec import NO_CLASS, ModelSpec, Task
from vision.models.state import State, read_state

BACKGROUND = "__background__"
SUFFIXES = (".safetensors", ".pth", ".pt")
HASH_DIGITS = 8
"""Of the file's hash in its stored name: replacing a model never changes a file in use."""


def add_model(
    models_dir: Path, name: str, *, like: str, file: Path, labels: Sequence[str] = ()
) -> ModelSpec:
    """Check that the file is whole and fits, copy it, and write it into the user's catalogue.

    `labels` are the classes in the order of their ids, with or without the background; empty
    takes those of `like`. An earlier model of the user's by this name is replaced.
    Raises InvalidRequest, UnknownModel, WeightsMismatch.
    """
    listed = Catalogue()[like]
    _require_sound_request(name, listed, file, labels)
    own_file = models_dir / OWN_CATALOGUE
    models = dict(read_own_models(own_file, known=frozenset(listed_specs())))
    replaced = models.get(name)
    models[name] = model = _taken_in(models_dir, name, listed, file, labels)
    write_own_models(own_file, models)
    if replaced is not None and replaced.file != model.file:
        (models_dir / replaced.file).unlink(missing_ok=True)
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
    if not file.is_file() or file.suffix not in SUFFIXES:
        raise _wrong("file", f"{file} is not a file ending in {', '.join(SUFFIXES)}")
    if labels and Task.DETECT not in listed.tasks:
        raise _wrong("labels", f"{listed.name} names nothing, so its like takes no labels")
    if len(set(labels) - NO_CLASS) != len([label for label in labels if label not in NO_CLASS]):
        raise _wrong("labels", "a label stands there twice")


def _taken_in(
    models_dir: Path, name: str, listed: ModelSpec, file: Path, labels: Sequence[str]
) -> OwnModel:
    sha256 = file_sha256(file)
    by_class_id = _fitting_labels(listed, file, tuple(labels) or listed.labels)
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


def _fitting_labels(listed: ModelSpec, file: Path, labels: tuple[str, ...]) -> tuple[str, ...]:
    """By class id. Raises WeightsMismatch unless the file fits the network with these labels."""
    state = read_state(file)
    if Task.DETECT in listed.tasks:
        labels = _by_class_id(listed, state, labels)
    spec = replace(listed, labels=labels, like=listed.name)
    for loader in {loader_for(spec, interface) for interface in interfaces_of(spec)}:
        loader(spec, file, ModelIdentity(spec.name, "", "cpu", "float32"))
    return labels


def _by_class_id(listed: ModelSpec, state: State, labels: tuple[str, ...]) -> tuple[str, ...]:
    num_classes = len(labels) + 1
    network = _network(listed, num_classes)
    found = torchvision_networks.classes_in(state, network, num_classes=num_classes)
    names_background = labels[0] in NO_CLASS
    may_lack_background = listed.builder in torchvision_networks.DENSE_BUILDERS
    if found == len(labels) and (names_background or may_lack_background):
        return labels
    if found == num_classes and not names_background:
        return (BACKGROUND, *labels)
    raise WeightsMismatch(
        f"the file tells {found or 'no'} classes apart, background included; {len(labels)} "
        f"labels for {listed.name} need {len(labels) if names_background else num_classes}"
    )


def _network(listed: ModelSpec, num_classes: int) -> nn.Module:
    if listed.family == "demo":
        demo: nn.Module = build_demo_maskrcnn(num_classes)
        return demo
    return torchvision_networks.build(listed.builder, num_classes=num_classes)


def _require_unchanged(copy: Path, *, sha256: str) -> None:
    if file_sha256(copy) != sha256:
        raise WeightsMismatch("the file changed while it was copied; try again")


def _wrong(field: str, detail: str) -> InvalidRequest:
    return InvalidRequest(detail, (FieldError(field, detail),))
