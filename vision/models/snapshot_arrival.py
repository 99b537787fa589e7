"""One folder of weights on its way: gathered file by file beside its place, then put there."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vision.errors import InvalidRequest, OperatorError
from vision.models.checksums import file_sha256
from vision.models.download import OnProgress
from vision.models.snapshots import (
    SnapshotLock,
    copy_files,
    files_hashes,
    put_in_place,
    read_lock,
    require_hashes,
    staging,
    write_lock,
)
from vision.models.sources import RemoteFile, RemoteFolder, SnapshotSource
from vision.models.spec import ModelSpec, SnapshotSpec

PART = ".part"
STAGE_DIGITS = 16


@dataclass(frozen=True, slots=True)
class SnapshotArrival:
    """Of one model, to one place."""

    spec: ModelSpec
    weights: SnapshotSpec
    place: Path

    def pulled(
        self, source: SnapshotSource, on_progress: OnProgress | None, *, keeps_lock: bool
    ) -> Path:
        """From the other side; what an earlier attempt left is used.

        With `keeps_lock` the files must be those of the earlier pull. Raises WeightsMismatch,
        OperatorError, TemporaryError.
        """
        found = source.look()
        names = self._names(found.files)
        if names is None:
            raise OperatorError(self._lacking(found))
        wanted = self._wanted(found, keeps_lock=keeps_lock)
        stage = self._stage(found.revision)
        progress = _Progress(on_progress, found, names)
        for name in names:
            if not self._is_here(stage / name, wanted.get(name)):
                self._fetch(source, name, stage, found, wanted.get(name), progress)
            progress.finish(name)
        return self._placed(stage, names, wanted, revision=found.revision)

    def copied(self, folder: Path) -> Path:
        """From a folder that somebody brought; other files in it are left there."""
        brought = read_lock(folder) or SnapshotLock({})
        here = {
            one.name: RemoteFile(sha256=brought.files.get(one.name))
            for one in folder.iterdir()
            if one.is_file()
        }
        remote = RemoteFolder(str(folder), here, revision=brought.revision)
        names = self._names(here)
        if names is None:
            raise InvalidRequest(self._lacking(remote))
        with staging(self.place) as stage:
            copy_files(folder, stage, names)
            wanted = self._wanted(remote, keeps_lock=False)
            return self._placed(stage, names, wanted, revision=brought.revision)

    def _names(self, there: Mapping[str, RemoteFile]) -> tuple[str, ...] | None:
        """What is taken; None when something that is needed isn't there."""
        if not set(self.weights.files) <= set(there):
            return None
        optional = [name for name in self.weights.optional_files if name in there]
        return (*self.weights.files, *optional)

    def _lacking(self, folder: RemoteFolder) -> str:
        lacking = sorted(set(self.weights.files) - set(folder.files))
        return f"{folder.what} has no {lacking[0]}, which {self.spec.name} needs"

    def _wanted(self, found: RemoteFolder, *, keeps_lock: bool) -> dict[str, str]:
        """SHA-256 by name. The catalogue's word goes before what an earlier pull wrote down, and
        that before what the other side says.
        """
        lock = read_lock(self.place) if keeps_lock else None
        said = {name: one.sha256 for name, one in found.files.items()}
        locked = {} if lock is None else lock.files
        layers = {**said, **locked, **{k: v for k, v in self.weights.files.items() if v}}
        return {name: digest for name, digest in layers.items() if digest is not None}

    def _stage(self, revision: str | None) -> Path:
        """The folder in which an attempt gathers; one per revision, so that none mix."""
        stages = self.place.with_name(f".{self.place.name}{PART}")
        # Hashed: a name that comes from afar must not say where files go.
        stage = stages / hashlib.sha256(str(revision).encode()).hexdigest()[:STAGE_DIGITS]
        for other in stages.iterdir() if stages.is_dir() else ():
            if other != stage:
                shutil.rmtree(other)
        try:
            stage.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OperatorError(f"can't write to {stage}: {error.strerror}") from error
        return stage

    def _is_here(self, file: Path, wanted: str | None) -> bool:
        return file.is_file() and wanted in (None, file_sha256(file))

    def _fetch(
        self,
        source: SnapshotSource,
        name: str,
        stage: Path,
        found: RemoteFolder,
        wanted: str | None,
        progress: "_Progress",
    ) -> None:
        part = stage / f"{name}{PART}"
        source.fetch(name, part, folder=found, on_bytes=progress.report)
        digest = file_sha256(part)
        if wanted not in (None, digest):
            part.unlink()
            require_hashes(self.spec.name, {name: digest}, {name: str(wanted)})
        part.replace(stage / name)

    def _placed(
        self,
        stage: Path,
        names: tuple[str, ...],
        wanted: Mapping[str, str],
        *,
        revision: str | None,
    ) -> Path:
        hashes = files_hashes(stage, names)
        require_hashes(self.spec.name, hashes, {n: d for n, d in wanted.items() if n in hashes})
        for stranger in {one.name for one in stage.iterdir()} - set(names):
            (stage / stranger).unlink()
        write_lock(stage, SnapshotLock(hashes, hub=self.weights.hub, revision=revision))
        put_in_place(stage, self.place)
        shutil.rmtree(self.place.with_name(f".{self.place.name}{PART}"), ignore_errors=True)
        return self.place


class _Progress:
    """Of all files together."""

    def __init__(
        self, report: OnProgress | None, found: RemoteFolder, names: tuple[str, ...]
    ) -> None:
        self._report = report
        self._sizes = {name: found.files[name].size_bytes or 0 for name in names}
        self._done = 0

    def report(self, here: int) -> None:
        if self._report is not None:
            self._report(self._done + here, sum(self._sizes.values()) or None)

    def finish(self, name: str) -> None:
        self._done += self._sizes[name]
        self.report(0)
