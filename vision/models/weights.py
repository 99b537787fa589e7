"""The weights store: which files are here, fetched how, and whether they are the right ones.

No torch: the API asks the same store. Nothing is ever fetched unless `pull` is called.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from vision.errors import InvalidRequest, OperatorError, WeightsMismatch, WeightsMissing
from vision.models.catalogue import SHIPPED
from vision.models.checksums import file_sha256
from vision.models.download import OnProgress, download, exclusive
from vision.models.files import copy_durably, move_durably
from vision.models.snapshots import files_hashes, read_lock, require_hashes, require_nothing_else
from vision.models.spec import ModelSpec, SnapshotSpec, WeightsSpec, files_sha256

HASHES_FILE = ".hashes.json"
"""Hashes already computed, by size and time of change: a listing must not read gigabytes."""


class WeightsStore:
    """Weights files in one folder, and those in the package."""

    def __init__(self, models_dir: Path) -> None:
        self.models_dir = models_dir
        self._hashes: dict[str, list[object]] = {}

    def path(self, spec: ModelSpec) -> Path:
        """Where the file or folder is. Raises WeightsMissing naming the command to fetch it."""
        place = self._place(spec)
        if not self.is_present(spec):
            raise WeightsMissing(f"{spec.name} has no weights at {place}; {_remedy(spec)}")
        return place

    def is_present(self, spec: ModelSpec) -> bool:
        place = self._place(spec)
        if isinstance(spec.weights, SnapshotSpec):
            return all((place / name).is_file() for name in spec.weights.files)
        return place.is_file()

    def sha256(self, spec: ModelSpec) -> str:
        """Of the weights as they are now, remembered while size and time stay the same."""
        path = self.path(spec)
        if not isinstance(spec.weights, SnapshotSpec):
            return self._file_sha256(path)
        names = self._recorded(spec, spec.weights)
        return files_sha256({name: self._file_sha256(path / name) for name in names})

    def verified(self, spec: ModelSpec) -> tuple[Path, str]:
        """The file or folder and its SHA-256, computed now. Raises WeightsMissing,
        WeightsMismatch.
        """
        path = self.path(spec)
        if not isinstance(spec.weights, SnapshotSpec):
            return path, require_right_hash(spec, path)
        recorded = self._recorded(spec, spec.weights)
        require_nothing_else(path, recorded)
        found = files_hashes(path, recorded)
        require_hashes(spec.name, found, recorded)
        return path, files_sha256(found)

    def pull(self, spec: ModelSpec, on_progress: OnProgress | None = None) -> Path:
        """Download, resuming an earlier attempt; verified before it gets its name.

        Returns at once when the right file is already here. Raises WeightsMismatch,
        TemporaryError when the connection fails, OperatorError when there is no such file.
        """
        if not isinstance(spec.weights, WeightsSpec) or spec.weights.url is None:
            raise InvalidRequest(f"{spec.name} isn't downloaded: {_remedy(spec)}")
        place = self._place(spec)
        if place.is_file() and spec.weights.is_satisfied_by(file_sha256(place)):
            return place
        self._make_folder(place.parent)
        part = place.with_name(place.name + ".part")
        with exclusive(part.with_name(place.name + ".lock"), f"{spec.name} is being downloaded"):
            if not (part.is_file() and spec.weights.is_satisfied_by(file_sha256(part))):
                download(spec.weights.url, part, on_progress=on_progress)
                self._accept(spec, part)
            move_durably(part, place)
        return place

    def import_file(self, spec: ModelSpec, file: Path) -> Path:
        """Take a local copy of a listed model's file. Raises WeightsMismatch, InvalidRequest."""
        if spec.weights.shipped or spec.like is not None:
            raise InvalidRequest(f"{spec.name} is not a listed model to import; use add")
        if not file.is_file():
            raise InvalidRequest(f"{file} is not a file")
        place = self._place(spec)
        self._make_folder(place.parent)
        copy_durably(file, place, check=lambda copy: require_right_hash(spec, copy))
        return place

    def _recorded(self, spec: ModelSpec, weights: SnapshotSpec) -> Mapping[str, str]:
        """SHA-256 by name, of every file that belongs to the folder: as the catalogue says, or as
        the lock does for what the catalogue leaves open.
        """
        lock = read_lock(self._place(spec))
        pinned = {name: digest for name, digest in weights.files.items() if digest is not None}
        recorded = ({} if lock is None else dict(lock.files)) | pinned
        lacking = sorted(set(weights.files) - set(recorded))
        if not lacking:
            return self._all_there(spec, recorded)
        raise WeightsMismatch(
            f"nothing says which {lacking[0]} belongs to {spec.name}; {_remedy(spec)}"
        )

    def _all_there(self, spec: ModelSpec, recorded: Mapping[str, str]) -> Mapping[str, str]:
        lost = [name for name in recorded if not (self._place(spec) / name).is_file()]
        if lost:
            raise WeightsMismatch(f"{spec.name} has lost {lost[0]}; {_remedy(spec)}")
        return recorded

    def _file_sha256(self, path: Path) -> str:
        facts = path.stat()
        key, version = str(path), [facts.st_size, facts.st_mtime_ns]
        self._hashes = self._hashes or self._remembered()
        if self._hashes.get(key, [])[:2] != version:
            self._hashes[key] = [*version, file_sha256(path)]
            self._remember()
        return str(self._hashes[key][2])

    def _place(self, spec: ModelSpec) -> Path:
        return (SHIPPED if spec.weights.shipped else self.models_dir) / spec.weights.file

    def _accept(self, spec: ModelSpec, part: Path) -> None:
        try:
            require_right_hash(spec, part)
        except WeightsMismatch:
            part.unlink()
            raise

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OperatorError(f"can't write to {folder}: {error.strerror}") from error

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
            f"the catalogue says {wanted}; {_remedy(spec)}"
        )
    return found


def _remedy(spec: ModelSpec) -> str:
    if spec.weights.shipped:
        return "it is part of the package: install the package again"
    if spec.like is not None:
        return f"run `vision models add {spec.name} --like {spec.like} --file FILE`"
    return f"run `vision models pull {spec.name}`"
