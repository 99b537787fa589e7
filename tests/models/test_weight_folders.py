"""Weights that are a folder: a user's own, and a listed model's as a pull leaves it."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
import torch
from example_family import LABELS, LISTED, block, example_family, pool_of, save_tiny
from safetensors.torch import save_file

from vision.errors import InvalidRequest, WeightsMismatch, WeightsMissing
from vision.models.adding import add_model
from vision.models.base import Classifier
from vision.models.catalogue import Catalogue
from vision.models.checksums import file_sha256
from vision.models.pulls import Pulls
from vision.models.snapshots import (
    LOCK_FILE,
    SnapshotLock,
    files_hashes,
    labels_in_config,
    read_lock,
    write_lock,
)
from vision.models.spec import SnapshotSpec, files_sha256, listing_sha256
from vision.models.weights import WeightsStore
from vision.pipelines.document import parse_pipeline
from vision.pipelines.plan import check

TENSORS = "model.safetensors"
FILES = ("config.json", TENSORS, "preprocessor_config.json")


@pytest.fixture(autouse=True)
def family(tmp_path: Path) -> Iterator[None]:
    with example_family(tmp_path / "family"):
        yield


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    save_tiny(folder)
    return folder


@pytest.fixture
def tiny(saved: Path, tmp_path: Path) -> Path:
    """One's own to spoil."""
    return Path(copytree(saved, tmp_path / "tiny"))


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_own_folder_is_copied_and_runs_without_the_original(models_dir: Path, tiny: Path) -> None:
    digest = file_sha256(tiny / TENSORS)
    spec = add_model(models_dir, "mine", like=LISTED, file=tiny)
    for file in tiny.iterdir():
        file.unlink()

    classifier = pool_of(models_dir).get("mine", Classifier)

    assert (spec.like, spec.tasks, spec.license.name) == (LISTED, {"classify"}, "Apache-2.0")
    assert classifier.identity.weights_sha256 == spec.weights.sha256 == digest
    assert classifier.labels == spec.labels == LABELS
    stored = models_dir / spec.weights.file
    assert sorted(os.listdir(stored)) == sorted([*FILES, LOCK_FILE])
    assert spec.weights.size_bytes == sum((stored / name).stat().st_size for name in FILES)


def test_given_labels_go_before_those_in_the_folder(models_dir: Path, tiny: Path) -> None:
    spec = add_model(models_dir, "mine", like=LISTED, file=tiny, labels=("a", "b", "c"))

    assert spec.labels == ("a", "b", "c")


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "modeling.py", "trainer.pt", "w.pkl", "a b.json", "ä.json"]
)
def test_pickles_and_code_are_refused(models_dir: Path, tiny: Path, name: str) -> None:
    (tiny / name).write_bytes(b"")

    with pytest.raises(InvalidRequest, match=name):
        add_model(models_dir, "mine", like=LISTED, file=tiny)

    assert not models_dir.exists()


def test_links_and_folders_are_refused(models_dir: Path, tiny: Path) -> None:
    (tiny / "more.json").symlink_to("/etc/passwd")
    with pytest.raises(InvalidRequest, match=r"more\.json is a link or a folder"):
        add_model(models_dir, "mine", like=LISTED, file=tiny)
    (tiny / "more.json").unlink()
    (tiny / "checkpoint-5").mkdir()
    with pytest.raises(InvalidRequest, match="checkpoint-5 is a link or a folder"):
        add_model(models_dir, "mine", like=LISTED, file=tiny)


def test_papers_and_hidden_files_stay_behind(models_dir: Path, tiny: Path) -> None:
    for name in ("README.md", ".gitattributes", "LICENSE"):
        (tiny / name).write_text("for people")

    spec = add_model(models_dir, "mine", like=LISTED, file=tiny)

    assert sorted(os.listdir(models_dir / spec.weights.file)) == sorted([*FILES, LOCK_FILE])


def test_weights_that_do_not_fit_are_refused(models_dir: Path, tiny: Path) -> None:
    other = tiny.with_name("other")
    save_tiny(other)
    save_file({"unheard.of": torch.zeros(1)}, other / TENSORS)

    with pytest.raises(WeightsMismatch, match="that the files lack"):
        add_model(models_dir, "mine", like=LISTED, file=other)

    assert not (models_dir / "catalogue.yaml").exists()
    assert os.listdir(models_dir / "own") == []


def test_wrong_number_of_labels_is_refused(models_dir: Path, tiny: Path) -> None:
    with pytest.raises(WeightsMismatch, match="3 classes apart, and there are 2 labels"):
        add_model(models_dir, "mine", like=LISTED, file=tiny, labels=("a", "b"))


def test_file_and_folder_are_not_taken_for_each_other(models_dir: Path, tiny: Path) -> None:
    with pytest.raises(InvalidRequest, match="is not a folder, as the weights of convnextv2_tiny"):
        add_model(models_dir, "mine", like=LISTED, file=tiny / TENSORS)
    with pytest.raises(InvalidRequest, match="is not a file"):
        add_model(models_dir, "mine", like="sam_vit_b", file=tiny)


@pytest.mark.parametrize("name", ["config.json", TENSORS])
def test_file_that_was_changed_is_refused_at_the_next_load(
    models_dir: Path, tiny: Path, name: str
) -> None:
    spec = add_model(models_dir, "mine", like=LISTED, file=tiny)
    file = models_dir / spec.weights.file / name
    file.write_bytes(file.read_bytes() + b" ")

    with pytest.raises(WeightsMismatch, match=f"{name} isn't the file of mine"):
        pool_of(models_dir).get("mine", Classifier)


def test_file_that_was_put_beside_is_refused(models_dir: Path, tiny: Path) -> None:
    spec = add_model(models_dir, "mine", like=LISTED, file=tiny)
    (models_dir / spec.weights.file / "adapter_config.json").write_text("{}")

    with pytest.raises(WeightsMismatch, match=r"adapter_config\.json doesn't belong"):
        pool_of(models_dir).get("mine", Classifier)


def test_replaced_model_is_another_one_to_a_running_pool(models_dir: Path, tiny: Path) -> None:
    first = add_model(models_dir, "mine", like=LISTED, file=tiny)
    running = pool_of(models_dir)
    running.get("mine", Classifier)
    save_tiny(tiny.with_name("second"), seed=1)

    second = add_model(models_dir, "mine", like=LISTED, file=tiny.with_name("second"))

    assert second.weights.sha256 != first.weights.sha256
    identity = running.get("mine", Classifier).identity
    assert identity.weights_sha256 == second.weights.sha256
    assert os.listdir(models_dir / "own") == [Path(second.weights.file).name]


def test_other_labels_with_the_same_weights_reach_a_running_pool(
    models_dir: Path, tiny: Path
) -> None:
    add_model(models_dir, "mine", like=LISTED, file=tiny)
    running = pool_of(models_dir)
    running.get("mine", Classifier)

    add_model(models_dir, "mine", like=LISTED, file=tiny, labels=("a", "b", "c"))

    assert running.get("mine", Classifier).labels == ("a", "b", "c")


def test_imported_folder_runs_and_brings_its_labels(models_dir: Path, tiny: Path) -> None:
    (tiny / "README.md").write_text("for people")
    catalogue = Catalogue(models_dir / "catalogue.yaml")
    assert catalogue[LISTED].labels == ()

    place = Pulls(WeightsStore(models_dir)).take(catalogue[LISTED], tiny)

    assert catalogue[LISTED].labels == LABELS
    assert pool_of(models_dir).get(LISTED, Classifier).labels == LABELS
    lock = read_lock(place)
    assert lock is not None
    assert lock.files == {name: file_sha256(tiny / name) for name in FILES}


def test_import_follows_links_of_the_hubs_own_cache(models_dir: Path, tiny: Path) -> None:
    linked = tiny.with_name("linked")
    linked.mkdir()
    for name in FILES:
        (linked / name).symlink_to(tiny / name)

    place = Pulls(WeightsStore(models_dir)).take(Catalogue()[LISTED], linked)

    assert not any(file.is_symlink() for file in place.iterdir())


def test_import_compares_with_the_catalogue_and_with_the_record_beside_the_files(
    models_dir: Path, tiny: Path
) -> None:
    spec, pulls = Catalogue()[LISTED], Pulls(WeightsStore(models_dir))
    assert isinstance(spec.weights, SnapshotSpec)
    other = replace(spec.weights, files={**spec.weights.files, "config.json": "0" * 64})
    with pytest.raises(WeightsMismatch, match=r"config\.json isn't the file of convnextv2_tiny"):
        pulls.take(replace(spec, weights=other), tiny)

    write_lock(tiny, SnapshotLock(files_hashes(tiny, FILES), revision="c" * 40))
    (tiny / "config.json").write_text("{}")
    with pytest.raises(WeightsMismatch, match=r"config\.json isn't the file of convnextv2_tiny"):
        pulls.take(spec, tiny)

    assert not pulls.store.is_present(spec)
    assert [name for name in os.listdir(models_dir) if "convnext" in name] == []


def test_import_keeps_the_commit_on_record(models_dir: Path, tiny: Path) -> None:
    write_lock(tiny, SnapshotLock(files_hashes(tiny, FILES), revision="c" * 40))
    pulls = Pulls(WeightsStore(models_dir))

    pulls.take(Catalogue()[LISTED], tiny)

    assert pulls.store.revision(Catalogue()[LISTED]) == "c" * 40


def test_import_of_a_folder_that_lacks_a_file_is_refused(models_dir: Path, tiny: Path) -> None:
    (tiny / "preprocessor_config.json").unlink()

    with pytest.raises(InvalidRequest, match=r"has no preprocessor_config\.json, which conv"):
        Pulls(WeightsStore(models_dir)).take(Catalogue()[LISTED], tiny)

    assert not WeightsStore(models_dir).is_present(Catalogue()[LISTED])


def test_folder_without_a_record_of_its_hashes_does_not_run(models_dir: Path, tiny: Path) -> None:
    copytree(tiny, models_dir / LISTED)

    with pytest.raises(WeightsMismatch, match="nothing says which"):
        pool_of(models_dir).get(LISTED, Classifier)


def test_missing_folder_names_the_command_that_fetches_it(models_dir: Path) -> None:
    with pytest.raises(WeightsMissing, match=f"run `vision models pull {LISTED}`"):
        pool_of(models_dir).get(LISTED, Classifier)


def test_hash_of_a_folder_is_that_of_its_weights_or_of_all() -> None:
    one = {"config.json": "b" * 64, TENSORS: "a" * 64}
    two = {
        "config.json": "b" * 64,
        "model-1.safetensors": "a" * 64,
        "model-2.safetensors": "c" * 64,
    }

    assert files_sha256(one) == "a" * 64
    assert files_sha256(two) == listing_sha256(two) != listing_sha256(one)
    assert SnapshotSpec("f", one).sha256 == "a" * 64
    assert SnapshotSpec("f", {**one, "config.json": None}).sha256 is None


def test_labels_in_a_config_stand_at_their_ids(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    for content, labels in (
        ({"id2label": {"2": "cat", "0": "hat"}}, ("hat", "N/A", "cat")),
        ({"id2label": {}}, ()),
        ({}, ()),
        ([], ()),
    ):
        config.write_text(json.dumps(content))
        assert labels_in_config(tmp_path) == labels


def test_pipeline_may_name_labels_that_are_not_known_yet(tmp_path: Path) -> None:
    listed = block("yaml").replace("[classify]", "[detect]")
    with example_family(tmp_path / "detecting", listed=listed):
        catalogue = Catalogue(tmp_path / "models" / "catalogue.yaml")
        document = parse_pipeline({"detect": {"model": LISTED, "labels": ["cat"]}})

        check(document, catalogue)
