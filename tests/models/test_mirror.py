"""Weights from a mirror: a copy of a models folder, near, verified all the same."""

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import COMMIT, serving_hub
from obstore.store import AzureStore, MemoryStore, S3Store

from vision.errors import InvalidRequest, OperatorError, WeightsMismatch
from vision.models.catalogue import listed_specs
from vision.models.mirror import Mirror
from vision.models.pulls import Pulls
from vision.models.snapshots import LOCK_FILE, read_lock
from vision.models.spec import ModelSpec, SnapshotSpec, WeightsSpec
from vision.models.weights import WeightsStore

FILES = {"config.json": b"{}", "model.safetensors": os.urandom(3_000_000)}
DIGEST = hashlib.sha256(FILES["model.safetensors"]).hexdigest()
FOLDER = replace(
    listed_specs()["demo_sam"],
    name="tiny",
    weights=SnapshotSpec("tiny", dict.fromkeys(FILES), hub="somebody/tiny"),
)
ONE_FILE = replace(
    listed_specs()["demo_sam"],
    name="one",
    weights=WeightsSpec("one.pth", url="http://127.0.0.1:9/one.pth", sha256=DIGEST),
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder of another machine, which pulled from the hub."""
    models_dir = tmp_path_factory.mktemp("filled")
    with serving_hub("somebody/tiny", FILES) as hub:
        Pulls(WeightsStore(models_dir), endpoint=hub.url).pull(FOLDER)
    (models_dir / "one.pth").write_bytes(FILES["model.safetensors"])
    return models_dir


@pytest.fixture
def mirror(filled: Path, tmp_path: Path) -> Path:
    """One's own to spoil."""
    return Path(shutil.copytree(filled, tmp_path / "a mirror"))


@pytest.fixture
def pulls(mirror: Path, tmp_path: Path) -> Pulls:
    store = WeightsStore(tmp_path / "models")
    return Pulls(store, mirror=Mirror.open(str(mirror)), endpoint="http://127.0.0.1:9")


@pytest.mark.parametrize("form", [str, Path.as_uri], ids=["path", "file URL"])
def test_folder_comes_from_the_mirror_with_its_record(
    mirror: Path, tmp_path: Path, form: type[str]
) -> None:
    pulls = Pulls(WeightsStore(tmp_path / "models"), mirror=Mirror.open(form(mirror)))

    place = pulls.pull(FOLDER)

    assert {name: (place / name).read_bytes() for name in FILES} == FILES
    lock = read_lock(place)
    assert lock is not None
    assert (lock.hub, lock.revision) == ("somebody/tiny", COMMIT)
    assert pulls.store.verified(FOLDER) == (place, DIGEST)


def test_object_store_is_a_mirror_too(filled: Path, tmp_path: Path) -> None:
    store = MemoryStore()
    for file in (filled / "tiny").iterdir():
        store.put(f"tiny/{file.name}", file.read_bytes())
        store.put(f"tiny2/{file.name}", b"of another")
    pulls = Pulls(WeightsStore(tmp_path / "models"), mirror=Mirror(store, "memory"))

    place = pulls.pull(FOLDER)

    assert pulls.store.verified(FOLDER) == (place, DIGEST)
    with pytest.raises(OperatorError, match=r"the mirror memory has no one\.pth"):
        pulls.pull(ONE_FILE)


def test_buckets_and_containers_are_opened_by_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "somebody")

    azure = Mirror.open("az://weights/copy").store
    s3 = Mirror.open("s3://weights/copy").store

    assert isinstance(azure, AzureStore)
    assert isinstance(s3, S3Store)
    assert (azure.prefix, s3.prefix) == ("copy", "copy")


def test_file_comes_from_the_mirror_and_not_from_its_url(pulls: Pulls) -> None:
    told: list[int] = []

    place = pulls.pull(ONE_FILE, lambda here, _: told.append(here))

    assert place.read_bytes() == FILES["model.safetensors"]
    assert told[-1] == len(FILES["model.safetensors"])


def test_altered_file_of_a_folder_is_refused(pulls: Pulls, mirror: Path) -> None:
    (mirror / "tiny" / "model.safetensors").write_bytes(b"altered")

    with pytest.raises(WeightsMismatch, match="isn't the file of tiny"):
        pulls.pull(FOLDER)

    assert not pulls.store.is_present(FOLDER)


def test_altered_file_is_refused(pulls: Pulls, mirror: Path) -> None:
    (mirror / "one.pth").write_bytes(b"altered")

    with pytest.raises(WeightsMismatch):
        pulls.pull(ONE_FILE)

    assert not pulls.store.is_present(ONE_FILE)


def test_hash_of_the_catalogue_wins_over_the_mirrors_record(pulls: Pulls) -> None:
    pinned = _pinned("0" * 64)

    with pytest.raises(WeightsMismatch, match="isn't the file of tiny"):
        pulls.pull(pinned)


def test_mirror_without_a_record_is_taken_at_the_catalogues_word(
    pulls: Pulls, mirror: Path
) -> None:
    (mirror / "tiny" / LOCK_FILE).unlink()

    place = pulls.pull(_pinned(DIGEST))

    lock = read_lock(place)
    assert lock is not None
    assert lock.files["model.safetensors"] == DIGEST


def test_partial_file_is_continued(pulls: Pulls) -> None:
    pulls.store.models_dir.mkdir()
    content = FILES["model.safetensors"]
    (pulls.store.models_dir / "one.pth.part").write_bytes(content[:1_000_000])
    told: list[int] = []

    place = pulls.pull(ONE_FILE, lambda here, _: told.append(here))

    assert place.read_bytes() == content
    assert min(told) > 1_000_000


def test_what_the_mirror_lacks_is_named(pulls: Pulls, mirror: Path) -> None:
    (mirror / "tiny" / "config.json").unlink()
    (mirror / "one.pth").unlink()

    with pytest.raises(OperatorError, match=r"the mirror .* has no config\.json, which tiny needs"):
        pulls.pull(FOLDER)
    with pytest.raises(OperatorError, match=r"the mirror .* has no one\.pth"):
        pulls.pull(ONE_FILE)


def test_record_of_a_mirror_cannot_say_where_files_go(pulls: Pulls, mirror: Path) -> None:
    lock = mirror / "tiny" / LOCK_FILE
    lock.write_text(lock.read_text().replace(COMMIT, "../../../elsewhere"))

    pulls.pull(FOLDER)

    assert sorted(os.listdir(pulls.store.models_dir)) == [".tiny.lock", "tiny"]
    assert sorted(os.listdir(mirror.parent)) == ["a mirror", "models"]


def test_mirror_has_one_revision(pulls: Pulls) -> None:
    with pytest.raises(InvalidRequest, match="one revision"):
        pulls.pull(FOLDER, revision="main")


@pytest.mark.parametrize("url", ["/no/such/folder", "ftp://there/models", "az://", ""])
def test_what_is_no_mirror_is_refused(url: str) -> None:
    with pytest.raises(OperatorError, match=r"is no folder, az://CONTAINER or s3://BUCKET"):
        Mirror.open(url)


def _pinned(digest: str) -> ModelSpec:
    assert isinstance(FOLDER.weights, SnapshotSpec)
    files = {**FOLDER.weights.files, "model.safetensors": digest}
    return replace(FOLDER, weights=replace(FOLDER.weights, files=files))
