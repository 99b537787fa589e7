"""The weights store: which files are here, and whether they are the right ones.

No torch: the API asks the same store. Nothing is ever fetched here; see pulls.py.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from vision.errors import WeightsMismatch, WeightsMissing
from vision.models.acceptances import Acceptances
from vision.models.catalogue import SHIPPED
from vision.models.checksums import file_sha256
from vision.models.snapshots import files_hashes, read_lock, require_hashes, require_nothing_else
from vision.models.spec import (
    ModelSpec,
    SnapshotSpec,
    WeightsSpec,
    files_sha256,
    listing_sha256,
)

HASHES_FILE = ".hashes.json"
"""Hashes already computed, by size and time of change: a listing must not read gigabytes."""


class WeightsStore:
    """Weights files in one folder, and those in the package."""

    def __init__(self, models_dir: Path) -> None:
        self.models_dir = models_dir
        self.acceptances = Acceptances(models_dir)
        self._hashes: dict[str, list[object]] = {}

    def path(self, spec: ModelSpec) -> Path:
        """Where a loader finds the file or folder. Raises LicenseNotAccepted; WeightsMissing
        naming the command that fetches it.
        """
        self.acceptances.require(spec)
        return self._found(spec)

    def is_present(self, spec: ModelSpec) -> bool:
        place = self.place(spec)
        if isinstance(spec.weights, SnapshotSpec):
            return all((place / name).is_file() for name in spec.weights.files)
        return place.is_file()

    def sha256(self, spec: ModelSpec) -> str:
        """Of the weights as they are now, remembered while size and time stay the same."""
        return files_sha256(self._hashes_now(spec))

    def content_sha256(self, spec: ModelSpec) -> str:
        """The same of every file, configurations included."""
        return listing_sha256(self._hashes_now(spec))

    def revision(self, spec: ModelSpec) -> str | None:
        """The hub's commit that is here, else the catalogue's; None where neither is known."""
        if not isinstance(spec.weights, SnapshotSpec):
            return None
        lock = read_lock(self.place(spec))
        return spec.weights.revision if lock is None else lock.revision

    def known_sha256(self, spec: ModelSpec) -> str | None:
        """Of what is here, else as the catalogue says; None where nobody knows."""
        try:
            return self.sha256(spec)
        except (WeightsMissing, WeightsMismatch):
            return spec.weights.sha256

    def verified(self, spec: ModelSpec) -> tuple[Path, str]:
        """The file or folder and its SHA-256, computed now. As `path`; WeightsMismatch too."""
        self.acceptances.require(spec)
        return self.verified_content(spec)

    def verified_content(self, spec: ModelSpec) -> tuple[Path, str]:
        """The same of weights that nobody is about to run."""
        path = self._found(spec)
        if not isinstance(spec.weights, SnapshotSpec):
            return path, require_right_hash(spec, path)
        recorded = self._recorded(spec, spec.weights)
        require_nothing_else(path, recorded)
        found = files_hashes(path, recorded)
        require_hashes(spec.name, found, recorded, advice=remedy(spec))
        return path, files_sha256(found)

    def is_whole(self, spec: ModelSpec) -> bool:
        """Whether the right weights are here, by hashes computed now."""
        if not self.is_present(spec):
            return False
        try:
            self.verified_content(spec)
        except WeightsMismatch:
            return False
        return True

    def place(self, spec: ModelSpec) -> Path:
        """Where the file or folder is, or will be."""
        return (SHIPPED if spec.weights.shipped else self.models_dir) / spec.weights.file

    def _found(self, spec: ModelSpec) -> Path:
        place = self.place(spec)
        if not self.is_present(spec):
            raise WeightsMissing(f"{spec.name} has no weights at {place}; {remedy(spec)}")
        return place

    def _hashes_now(self, spec: ModelSpec) -> Mapping[str, str]:
        path = self._found(spec)
        if not isinstance(spec.weights, SnapshotSpec):
            return {spec.weights.file: self._file_sha256(path)}
        names = self._recorded(spec, spec.weights)
        return {name: self._file_sha256(path / name) for name in names}

    def _recorded(self, spec: ModelSpec, weights: SnapshotSpec) -> Mapping[str, str]:
        """SHA-256 by name, of every file that belongs to the folder: as the catalogue says, or as
        the lock does for what the catalogue leaves open.
        """
        lock = read_lock(self.place(spec))
        pinned = {name: digest for name, digest in weights.files.items() if digest is not None}
        recorded = ({} if lock is None else dict(lock.files)) | pinned
        lacking = sorted(set(weights.files) - set(recorded))
        if not lacking:
            return self._all_there(spec, recorded)
        raise WeightsMismatch(
            f"nothing says which {lacking[0]} belongs to {spec.name}; {remedy(spec)}"
        )

    def _all_there(self, spec: ModelSpec, recorded: Mapping[str, str]) -> Mapping[str, str]:
        lost = [name for name in recorded if not (self.place(spec) / name).is_file()]
        if lost:
            raise WeightsMismatch(f"{spec.name} has lost {lost[0]}; {remedy(spec)}")
        return recorded

    def _file_sha256(self, path: Path) -> str:
        facts = path.stat()
        key, version = str(path), [facts.st_size, facts.st_mtime_ns]
        self._hashes = self._hashes or self._remembered()
        if self._hashes.get(key, [])[:2] != version:
            self._hashes[key] = [*version, file_sha256(path)]
            self._remember()
        return str(self._hashes[key][2])

    def _remembered(self) -> dict[str, list[object]]:
        try:
            remembered = json.loads((self.models_dir / HASHES_FILE).read_text())
        except (OSError, ValueError):
            return {}
        return remembered if isinstance(remembered, dict) else {}

    def _remember(self) -> None:
        hashes = self.models_dir / HASHES_FILE
        fresh = hashes.with_suffix(f".{os.getpid()}.new")
        try:
            fresh.write_text(json.dumps(self._hashes))
            fresh.replace(hashes)
        except OSError:
            return  # a read-only folder: computed again by the next process, still right


def require_right_hash(spec: ModelSpec, file: Path) -> str:
    """The file's SHA-256. Raises WeightsMismatch when it isn't the catalogue's."""
    found = file_sha256(file)
    assert isinstance(spec.weights, WeightsSpec)
    if not spec.weights.is_satisfied_by(found):
        wanted = spec.weights.sha256 or f"{spec.weights.sha256_prefix or 'nothing'}…"
        raise WeightsMismatch(
            f"{file.name} is not the weights file of {spec.name}: its SHA-256 is {found}, "
            f"the catalogue says {wanted}; {remedy(spec)}"
        )
    return found


def remedy(spec: ModelSpec) -> str:
    """How right weights get here: the command."""
    if spec.weights.shipped:
        return "it is part of the package: install the package again"
    if spec.like is not None:
        return f"run `vision models add {spec.name} --like {spec.like} --file FILE`"
    return f"run `vision models pull {spec.name}`"
