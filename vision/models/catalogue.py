"""The catalogue: every model that can be named, ours from data and the user's own. No torch.

catalogue = Catalogue.load(models_dir / "catalogue.yaml")
catalogue["sam_vit_b"].license

Listed models stand in `listed/FAMILY.yaml`; listing.py says in what form.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType

import yaml

from vision.errors import UnknownModel
from vision.models.checksums import read_sums
from vision.models.licenses import License
from vision.models.listing import (
    ListedFamily,
    ListedLicense,
    ListedModel,
    ListedWeights,
    read_family,
)
from vision.models.own_models import OwnModel, read_own_models
from vision.models.snapshots import labels_in_config
from vision.models.spec import ModelSpec, SnapshotSpec, WeightsSpec

LISTED = Path(__file__).with_name("listed")
"""One file of data per family, and the lists of labels and keypoints that they name."""
SHIPPED = Path(__file__).with_name("shipped")
"""Weights that are part of the package, with their SHA256SUMS."""
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
    families = [read_family(file) for file in sorted(LISTED.glob("*.yaml"), key=_order)]
    return MappingProxyType({spec.name: spec for each in families for spec in _listed(each)})


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


def _listed(family: ListedFamily) -> Iterator[ModelSpec]:
    for name, entry in family.models.items():
        yield ModelSpec(
            name=name,
            family=family.family,
            builder=entry.builder or name,
            tasks=frozenset(entry.tasks),
            weights=_weights(name, entry.weights),
            license=_license(entry.license or family.license),
            labels=_labels(entry),
            labels_from_config=entry.labels == FROM_CONFIG,
            input=entry.input,
            intended_use=entry.intended_use or family.intended_use,
            limits=entry.limits or family.limits,
            training_data=entry.training_data or family.training_data,
            everything_defaults=MappingProxyType(entry.everything_defaults),
            keypoint_names=names_in("keypoints", entry.keypoints) if entry.keypoints else (),
            metrics=MappingProxyType(entry.metrics),
            needs=family.needs,
            extra=family.extra,
        )


def _labels(entry: ListedModel) -> tuple[str, ...]:
    return () if entry.labels in (None, FROM_CONFIG) else names_in("labels", str(entry.labels))


def _license(listed: str | ListedLicense) -> License:
    """What a family's file says goes before what is known of that licence."""
    said = ListedLicense(name=listed) if isinstance(listed, str) else listed
    known = _restricted().get(said.name, said)
    return License(**dict(known) | said.model_dump(exclude_unset=True))


@cache
def _restricted() -> Mapping[str, ListedLicense]:
    facts = yaml.safe_load((LISTED / "licenses" / "restricted.yaml").read_text(encoding="utf-8"))
    return {name: ListedLicense(name=name, **rest) for name, rest in facts.items()}


def _weights(name: str, entry: ListedWeights) -> WeightsSpec | SnapshotSpec:
    if entry.files is not None:
        return SnapshotSpec(
            name,
            files={file: known.sha256 for file, known in entry.files.items()},
            optional_files=entry.optional_files,
            hub=entry.hub,
            revision=entry.revision,
            size_bytes=entry.all_bytes,
        )
    return WeightsSpec(
        entry.file or str(entry.url).rsplit("/", 1)[1],
        url=entry.url,
        sha256=entry.sha256,
        sha256_prefix=entry.sha256_prefix,
        size_bytes=entry.all_bytes,
        shipped=entry.shipped,
    )


def _own(name: str, model: OwnModel, like: ModelSpec) -> ModelSpec:
    return replace(
        like,
        name=name,
        weights=_own_weights(model),
        labels=model.labels,
        intended_use="What it was fine-tuned for.",
        limits="Yours to know: nothing about these weights was measured here.",
        training_data="Yours to know; before that, as for the listed model.",
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
