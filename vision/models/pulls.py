"""How weights get here: from a hub, a URL, a mirror, or a copy that somebody brought.

Verified before they get their name. No torch. Nothing is fetched but by these methods.
"""

from dataclasses import dataclass
from pathlib import Path

from vision.errors import InvalidRequest, OperatorError, WeightsMismatch
from vision.models.checksums import file_sha256
from vision.models.download import OnProgress, download, exclusive
from vision.models.files import copy_durably, move_durably
from vision.models.hub import HubRepository
from vision.models.mirror import Mirror
from vision.models.snapshot_arrival import SnapshotArrival
from vision.models.sources import SnapshotSource
from vision.models.spec import ModelSpec, SnapshotSpec, WeightsSpec
from vision.models.weights import WeightsStore, remedy, require_right_hash


@dataclass(frozen=True, slots=True)
class Pulls:
    """Into one store."""

    store: WeightsStore
    mirror: Mirror | None = None
    """Where there is one, nothing comes from anywhere else."""
    token: str | None = None
    """For the hub; None: HF_TOKEN, or that of an earlier login."""
    endpoint: str | None = None
    """Of the hub; None: HF_ENDPOINT, or the public one."""

    def pull(
        self, spec: ModelSpec, on_progress: OnProgress | None = None, *, revision: str | None = None
    ) -> Path:
        """Where the weights are, fetched unless the right ones are here; an interrupted attempt
        goes on where it stopped.

        `revision` chooses another commit, branch or tag of a hub than the catalogue or the lock.
        Raises WeightsMismatch, InvalidRequest, Conflict, TemporaryError when the connection
        fails, OperatorError when the other side refuses or lacks a file.
        """
        if isinstance(spec.weights, SnapshotSpec):
            return self._pull_folder(spec, spec.weights, on_progress, revision=revision)
        if revision is not None:
            raise InvalidRequest(f"{spec.name} comes from no hub: it has no revisions")
        return self._pull_file(spec, spec.weights, on_progress)

    def take(self, spec: ModelSpec, source: Path) -> Path:
        """A listed model's file or folder, copied. Raises WeightsMismatch, InvalidRequest."""
        if spec.weights.shipped or spec.like is not None:
            raise InvalidRequest(f"{spec.name} is not a listed model to import; use add")
        if isinstance(spec.weights, SnapshotSpec):
            if not source.is_dir():
                raise InvalidRequest(f"{source} is not a folder")
            return SnapshotArrival(spec, spec.weights, self._made_place(spec)).copied(source)
        if not source.is_file():
            raise InvalidRequest(f"{source} is not a file")
        place = self._made_place(spec)
        copy_durably(source, place, check=lambda copy: require_right_hash(spec, copy))
        return place

    def _pull_file(
        self, spec: ModelSpec, weights: WeightsSpec, on_progress: OnProgress | None
    ) -> Path:
        if weights.url is None:
            raise InvalidRequest(f"{spec.name} isn't downloaded: {remedy(spec)}")
        place = self.store.place(spec)
        if place.is_file() and weights.is_satisfied_by(file_sha256(place)):
            return place
        self._made_place(spec)
        part = place.with_name(place.name + ".part")
        with exclusive(part.with_name(place.name + ".lock"), f"{spec.name} is being downloaded"):
            if not (part.is_file() and weights.is_satisfied_by(file_sha256(part))):
                self._fill(part, weights.url, weights, on_progress)
                _accept(spec, part)
            move_durably(part, place)
        return place

    def _fill(
        self, part: Path, url: str, weights: WeightsSpec, on_progress: OnProgress | None
    ) -> None:
        if self.mirror is None:
            download(url, part, on_progress=on_progress)
            return
        report = on_progress or (lambda *_: None)
        self.mirror.fetch(
            weights.file, part, on_bytes=lambda here: report(here, weights.size_bytes)
        )

    def _pull_folder(
        self,
        spec: ModelSpec,
        weights: SnapshotSpec,
        on_progress: OnProgress | None,
        *,
        revision: str | None,
    ) -> Path:
        here = self.store.revision(spec) if self.store.is_present(spec) else None
        wanted = revision or weights.revision or here
        is_same = wanted == here or here is None
        if is_same and revision is None and self.store.is_whole(spec):
            return self.store.place(spec)
        source = self._source(spec, weights, wanted, is_chosen=revision is not None)
        place = self._made_place(spec)
        lock = place.with_name(f".{place.name}.lock")
        with exclusive(lock, f"{spec.name} is being downloaded"):
            arrival = SnapshotArrival(spec, weights, place)
            return arrival.pulled(source, on_progress, keeps_lock=is_same)

    def _source(
        self, spec: ModelSpec, weights: SnapshotSpec, revision: str | None, *, is_chosen: bool
    ) -> SnapshotSource:
        if self.mirror is not None:
            if is_chosen:
                raise InvalidRequest("a mirror has one revision of each model")
            return self.mirror.folder(weights.file)
        if weights.hub is None:
            raise InvalidRequest(f"{spec.name} isn't downloaded: {remedy(spec)}")
        return HubRepository(
            weights.hub,
            model=spec.name,
            revision=revision,
            token=self.token,
            endpoint=self.endpoint,
        )

    def _made_place(self, spec: ModelSpec) -> Path:
        """With the folder that it is in."""
        place = self.store.place(spec)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OperatorError(f"can't write to {place.parent}: {error.strerror}") from error
        return place


def _accept(spec: ModelSpec, part: Path) -> None:
    try:
        require_right_hash(spec, part)
    except WeightsMismatch:
        part.unlink()
        raise
