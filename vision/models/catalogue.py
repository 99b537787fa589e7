"""The catalogue: every model that can be named, ours from data and the user's own. No torch.

catalogue = Catalogue.load(models_dir / "catalogue.yaml")
catalogue["sam_vit_b"].license

Listed models stand in `listed/FAMILY.yaml`, a file per family:

family: sam2                        # the file of vision/models/families that runs them
license: Apache-2.0
intended_use: One or more sentences.
limits: One or more sentences.
needs: [timm]                       # optional: packages beside those that every worker has
extra: timm                         # and the extra of pyproject.toml that installs them
models:
  sam2_hiera_tiny:                  # the name, which is also that of the folder of weights
    builder: …                      # optional: which of the family's networks; else the name
    tasks: [segment, everything, follow]
    labels: coco                    # optional: listed/labels/coco.txt, or: from config (.json)
    keypoints: …                    # optional, likewise
    input: RGB, stretched to 1024 x 1024 pixels
    metrics: {box_map: 46.7}        # optional
    weights:                        # of a folder, see SnapshotSpec
      hub: facebook/sam2.1-hiera-tiny
      revision: 40 hexadecimal digits, where they are known
      files: [config.json, model.safetensors, …]
      # or, with what is known: {config.json: {sha256: …, size_bytes: 999}, model.safetensors: {}}
      optional_files: [processor_config.json]
      size_bytes: 155908472         # or size_mib; of all files, about
    # weights of one file:          {url: https://…, sha256: …, size_bytes: …} (see WeightsSpec)
"""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from vision.errors import UnknownModel
from vision.models.checksums import read_sums
from vision.models.own_models import OwnModel, read_own_models
from vision.models.snapshots import labels_in_config
from vision.models.spec import ModelSpec, SnapshotSpec, Task, WeightsSpec

LISTED = Path(__file__).with_name("listed")
"""One file of data per family, and the lists of labels and keypoints that they name."""
SHIPPED = Path(__file__).with_name("shipped")
"""Weights that are part of the package, with their SHA256SUMS."""
MIB = 1024 * 1024
FROM_CONFIG = "from config"


class Catalogue:
    """Model specifications by name.

    The user's file is read again when it changes: a model added by the command line is known
    to a running service.
    """

    def __init__(self, own_file: Path | None = None) -> None:
        self._own_file = own_file
        self._own_version = _version(own_file)
        self._specs = _all_specs(own_file)

    @classmethod
    def load(cls, own_file: Path | None = None) -> "Catalogue":
        """Ours and, if the file exists, the user's own. Raises OperatorError if it is broken."""
        return cls(own_file)

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        """All models, ours first."""
        return tuple(self._with_labels(spec) for spec in self._current().values())

    def __getitem__(self, name: str) -> ModelSpec:
        """Raises UnknownModel, with similar names if there are any."""
        specs = self._current()
        if name not in specs:
            raise UnknownModel(f"no model is named {name!r}{_suggestion(name, specs)}")
        return self._with_labels(specs[name])

    def __contains__(self, name: object) -> bool:
        return name in self._current()

    def _current(self) -> Mapping[str, ModelSpec]:
        version = _version(self._own_file)
        if version != self._own_version:
            self._specs = _all_specs(self._own_file)
            self._own_version = version
        return self._specs

    def _with_labels(self, spec: ModelSpec) -> ModelSpec:
        """Those that came with the weights, once they are here."""
        if self._own_file is None or not spec.labels_from_config or spec.labels:
            return spec
        return replace(spec, labels=labels_in_config(self._own_file.parent / spec.weights.file))


@cache
def listed_specs() -> Mapping[str, ModelSpec]:
    """The models that come with the product, by name."""
    specs: dict[str, ModelSpec] = {}
    for file in sorted(LISTED.glob("*.yaml"), key=_order):
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        specs |= {name: _listed(name, entry, data) for name, entry in data["models"].items()}
    return MappingProxyType(specs)


def _order(file: Path) -> tuple[bool, str]:
    """What needs no download comes first."""
    return file.stem != "demo", file.stem


@cache
def names_in(kind: str, name: str) -> tuple[str, ...]:
    """A list of labels or keypoints that entries share: one a line, by class id."""
    return tuple((LISTED / kind / f"{name}.txt").read_text(encoding="utf-8").splitlines())


def _version(own_file: Path | None) -> tuple[int, int] | None:
    if own_file is None or not own_file.is_file():
        return None
    facts = own_file.stat()
    return facts.st_mtime_ns, facts.st_size


def _all_specs(own_file: Path | None) -> Mapping[str, ModelSpec]:
    listed = {name: _with_shipped_hash(spec) for name, spec in listed_specs().items()}
    own = {} if own_file is None else read_own_models(own_file, known=frozenset(listed))
    return listed | {name: _own(name, model, listed[model.like]) for name, model in own.items()}


def _with_shipped_hash(spec: ModelSpec) -> ModelSpec:
    if not isinstance(spec.weights, WeightsSpec) or not spec.weights.shipped:
        return spec
    file = SHIPPED / spec.weights.file
    weights = replace(
        spec.weights,
        sha256=read_sums(SHIPPED).get(spec.weights.file),
        size_bytes=file.stat().st_size if file.is_file() else None,
    )
    return replace(spec, weights=weights)


def _listed(name: str, entry: Mapping[str, Any], family: Mapping[str, Any]) -> ModelSpec:
    return ModelSpec(
        name=name,
        family=family["family"],
        builder=entry.get("builder", name),
        tasks=frozenset(Task(task) for task in entry["tasks"]),
        weights=_weights(name, entry["weights"]),
        license=family["license"],
        labels=_labels(entry),
        labels_from_config=entry.get("labels") == FROM_CONFIG,
        input=entry["input"],
        intended_use=family["intended_use"],
        limits=family["limits"],
        everything_defaults=MappingProxyType(entry.get("everything_defaults", {})),
        keypoint_names=names_in("keypoints", entry["keypoints"]) if "keypoints" in entry else (),
        metrics=MappingProxyType(entry.get("metrics", {})),
        needs=tuple(family.get("needs", ())),
        extra=family.get("extra", "models"),
    )


def _labels(entry: Mapping[str, Any]) -> tuple[str, ...]:
    labels = entry.get("labels")
    return () if labels in (None, FROM_CONFIG) else names_in("labels", labels)


def _weights(name: str, entry: Mapping[str, Any]) -> WeightsSpec | SnapshotSpec:
    known = {key: value for key, value in entry.items() if key not in ("size_mib", "file")}
    if "size_mib" in entry:
        known["size_bytes"] = round(entry["size_mib"] * MIB)
    if "files" in entry:
        return _snapshot(name, known)
    return WeightsSpec(entry.get("file") or entry["url"].rsplit("/", 1)[1], **known)


def _snapshot(name: str, known: Mapping[str, Any]) -> SnapshotSpec:
    files = known["files"]
    details = files if isinstance(files, Mapping) else dict.fromkeys(files)
    hashes = {file: (detail or {}).get("sha256") for file, detail in details.items()}
    sizes: list[Any] = [(detail or {}).get("size_bytes") for detail in details.values()]
    rest = ({} if None in sizes else {"size_bytes": sum(sizes)}) | dict(known)
    optional = tuple(rest.pop("optional_files", ()))
    return SnapshotSpec(name, **rest | {"files": hashes, "optional_files": optional})


def _own(name: str, model: OwnModel, like: ModelSpec) -> ModelSpec:
    return replace(
        like,
        name=name,
        weights=_own_weights(model),
        license=f"your own weights, for the network of {like.name} ({like.license})",
        labels=model.labels,
        intended_use="What it was fine-tuned for.",
        limits="Yours to know: nothing about these weights was measured here.",
        metrics=MappingProxyType({}),
        like=like.name,
    )


def _own_weights(model: OwnModel) -> WeightsSpec | SnapshotSpec:
    if model.files is None:
        return WeightsSpec(model.file, sha256=model.sha256, size_bytes=model.size_bytes)
    return SnapshotSpec(model.file, model.files, size_bytes=model.size_bytes)


def _suggestion(name: str, specs: Mapping[str, ModelSpec]) -> str:
    similar = get_close_matches(name, specs, n=3)
    return f"; did you mean {' or '.join(similar)}?" if similar else ""
