"""The real client of the hub against a server that speaks the hub's protocol."""

import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import COMMIT, LATER, TOKEN, HubServer, serving_hub

from vision.errors import OperatorError, TemporaryError, WeightsMismatch
from vision.models.catalogue import listed_specs
from vision.models.pulls import Pulls
from vision.models.snapshots import LOCK_FILE, read_lock
from vision.models.spec import ModelSpec, SnapshotSpec
from vision.models.weights import WeightsStore

REPO = "somebody/tiny"
TENSORS = "model.safetensors"
FILES = {
    "config.json": b'{"id2label": {"0": "cat"}}',
    TENSORS: random.Random(5).randbytes(30_000_000),
    "preprocessor_config.json": b"{}",
    "processor_config.json": b'{"a": 1}',
    "README.md": b"# tiny",
    "pytorch_model.bin": b"a pickle",
}
WANTED = ("config.json", TENSORS, "preprocessor_config.json")
DIGEST = hashlib.sha256(FILES[TENSORS]).hexdigest()


class Stopped(Exception):
    """As Ctrl-C does, in the middle of a download."""


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with serving_hub(REPO, FILES) as server:
        yield server


@pytest.fixture
def pulls(tmp_path: Path, hub: HubServer) -> Pulls:
    return Pulls(WeightsStore(tmp_path / "models"), endpoint=hub.url)


def spec_of(**changes: object) -> ModelSpec:
    weights = SnapshotSpec("tiny", dict.fromkeys(WANTED), hub=REPO)
    return replace(listed_specs()["demo_sam"], name="tiny", weights=replace(weights, **changes))


SPEC = spec_of()


def test_pull_takes_the_listed_files_and_no_other(pulls: Pulls) -> None:
    place = pulls.pull(SPEC)

    assert sorted(os.listdir(place)) == sorted([*WANTED, LOCK_FILE])
    assert {name: (place / name).read_bytes() for name in WANTED} == {
        name: FILES[name] for name in WANTED
    }
    assert pulls.store.verified(SPEC) == (place, DIGEST)


def test_pull_writes_down_commit_and_hashes(pulls: Pulls) -> None:
    lock = read_lock(pulls.pull(SPEC))

    assert lock is not None
    assert (lock.hub, lock.revision) == (REPO, COMMIT)
    assert lock.files == {name: hashlib.sha256(FILES[name]).hexdigest() for name in WANTED}


def test_optional_files_are_taken_where_they_are(pulls: Pulls) -> None:
    spec = spec_of(optional_files=("processor_config.json", "vocab.json"))

    place = pulls.pull(spec)

    assert sorted(os.listdir(place)) == sorted([*WANTED, "processor_config.json", LOCK_FILE])


def test_progress_is_that_of_all_files(pulls: Pulls) -> None:
    told: list[tuple[int, int | None]] = []

    pulls.pull(SPEC, lambda here, total: told.append((here, total)))

    size = sum(len(FILES[name]) for name in WANTED)
    assert told[-1] == (size, size)
    assert [here for here, _ in told] == sorted(here for here, _ in told)
    assert len(told) > len(WANTED)


def test_pull_of_what_is_here_asks_nobody(pulls: Pulls, hub: HubServer) -> None:
    pulls.pull(SPEC)
    hub.asked.clear()

    pulls.pull(SPEC)

    assert hub.asked == []


def test_stopped_pull_goes_on_where_it_stopped(pulls: Pulls, hub: HubServer) -> None:
    def stop(here: int, _total: int | None) -> None:
        if here > 15_000_000:
            raise Stopped

    with pytest.raises(Stopped):
        pulls.pull(SPEC, stop)
    (part,) = pulls.store.models_dir.rglob(f"{TENSORS}.part")
    here = part.stat().st_size
    assert not pulls.store.is_present(SPEC)
    hub.asked.clear()
    hub.ranges.clear()
    hub.served_bytes = 0

    place = pulls.pull(SPEC)

    assert (place / TENSORS).read_bytes() == FILES[TENSORS]
    assert 0 < here < len(FILES[TENSORS])
    assert hub.ranges == [f"bytes={here}-"]
    assert hub.served_bytes == len(FILES[TENSORS]) - here
    assert not any(path.endswith("/config.json") for _, path in hub.asked)
    assert sorted(os.listdir(pulls.store.models_dir)) == [".tiny.lock", "tiny"]


def test_killed_pull_goes_on_where_it_was_killed(pulls: Pulls, hub: HubServer) -> None:
    """In a process of its own, by SIGKILL: nothing of it can tidy up."""
    hub.hold_after = 25_000_000
    program = (
        "from pathlib import Path\nfrom test_hub import SPEC\n"
        "from vision.models.pulls import Pulls\nfrom vision.models.weights import WeightsStore\n"
        f"store = WeightsStore(Path({str(pulls.store.models_dir)!r}))\n"
        f"Pulls(store, endpoint={hub.url!r}).pull(SPEC)"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    with subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": paths}
    ) as pulling:
        assert hub.held.wait(60)
        here = _size_when_at_least(20_000_000, pulls.store.models_dir)
        pulling.kill()
    hub.hold_after = None
    hub.go_on.set()
    hub.ranges.clear()

    place = pulls.pull(SPEC)

    assert (place / TENSORS).read_bytes() == FILES[TENSORS]
    assert hub.ranges == [f"bytes={here}-"]


def test_broken_connection_is_taken_up_again_by_the_client(pulls: Pulls, hub: HubServer) -> None:
    hub.cut_after = 20_000_000

    place = pulls.pull(SPEC)

    assert (place / TENSORS).read_bytes() == FILES[TENSORS]
    assert hub.ranges[0] is None
    assert len(hub.ranges) == 2
    assert str(hub.ranges[1]).startswith("bytes=")


def test_files_of_two_revisions_never_mix(pulls: Pulls, hub: HubServer) -> None:
    with pytest.raises(Stopped):
        pulls.pull(SPEC, _stop_at_once)
    hub.commits[LATER] = {**FILES, "config.json": b'{"id2label": {"0": "dog"}}'}
    hub.main = LATER

    place = pulls.pull(SPEC)

    assert (place / "config.json").read_bytes() == hub.commits[LATER]["config.json"]


def test_wrong_content_is_refused_and_leaves_nothing(pulls: Pulls, hub: HubServer) -> None:
    hub.altered[TENSORS] = FILES[TENSORS][:-1] + b"!"

    with pytest.raises(WeightsMismatch, match=f"{TENSORS} isn't the file of tiny"):
        pulls.pull(SPEC)

    assert not pulls.store.is_present(SPEC)
    assert not list(pulls.store.models_dir.rglob(f"{TENSORS}*"))


def test_hash_of_the_catalogue_wins(pulls: Pulls) -> None:
    pinned = spec_of(files={**dict.fromkeys(WANTED), "config.json": "0" * 64})

    with pytest.raises(WeightsMismatch, match=r"config\.json isn't the file"):
        pulls.pull(pinned)

    assert not pulls.store.is_present(pinned)
    right = spec_of(files={**dict.fromkeys(WANTED), TENSORS: DIGEST})
    assert pulls.pull(right).is_dir()


def test_later_pulls_keep_to_the_commit_of_the_first(pulls: Pulls, hub: HubServer) -> None:
    place = pulls.pull(SPEC)
    hub.commits[LATER] = {**FILES, "config.json": b"{}"}
    hub.main = LATER
    (place / "config.json").write_text("spoiled")

    pulls.pull(SPEC)

    lock = read_lock(place)
    assert lock is not None
    assert lock.revision == COMMIT
    assert (place / "config.json").read_bytes() == FILES["config.json"]


def test_commit_that_changed_under_its_name_is_refused(pulls: Pulls, hub: HubServer) -> None:
    place = pulls.pull(SPEC)
    (place / "config.json").write_text("spoiled")
    hub.commits[COMMIT]["config.json"] = b'{"other": 1}'

    with pytest.raises(WeightsMismatch, match=r"config\.json isn't the file of tiny"):
        pulls.pull(SPEC)

    assert (place / "config.json").read_text() == "spoiled"


def test_another_revision_can_be_chosen(pulls: Pulls, hub: HubServer) -> None:
    place = pulls.pull(SPEC)
    hub.commits[LATER] = {**FILES, "config.json": b"{}"}

    pulls.pull(SPEC, revision=LATER)

    lock = read_lock(place)
    assert lock is not None
    assert lock.revision == LATER
    assert (place / "config.json").read_bytes() == b"{}"
    assert pulls.store.verified(SPEC) == (place, DIGEST)


def test_pinned_revision_wins_over_one_that_is_here(pulls: Pulls, hub: HubServer) -> None:
    place = pulls.pull(SPEC)
    hub.commits[LATER] = {**FILES, "config.json": b"{}"}

    pulls.pull(spec_of(revision=LATER))

    assert (place / "config.json").read_bytes() == b"{}"
    assert pulls.store.revision(SPEC) == LATER


def test_pinned_revision_is_asked_for(pulls: Pulls, hub: HubServer) -> None:
    hub.commits[LATER] = {**FILES, "config.json": b"{}"}

    place = pulls.pull(spec_of(revision=LATER))

    assert (place / "config.json").read_bytes() == b"{}"


def test_gate_is_explained_and_opened_by_a_token(pulls: Pulls, hub: HubServer) -> None:
    hub.is_gated = True

    with pytest.raises(OperatorError, match=f"accept the terms on the page of {REPO}.*HF_TOKEN"):
        pulls.pull(SPEC)
    place = replace(pulls, token=TOKEN).pull(SPEC)

    assert (place / TENSORS).read_bytes() == FILES[TENSORS]
    assert hub.tokens == [None], "the token is for the hub alone"


def test_what_is_not_there_is_named(pulls: Pulls) -> None:
    with pytest.raises(OperatorError, match="the hub shows no somebody/else"):
        pulls.pull(spec_of(hub="somebody/else"))
    with pytest.raises(OperatorError, match="has no revision v9"):
        pulls.pull(SPEC, revision="v9")
    with pytest.raises(OperatorError, match=r"somebody/tiny has no vocab\.json, which tiny needs"):
        pulls.pull(spec_of(files={**dict.fromkeys(WANTED), "vocab.json": None}))
    assert not pulls.store.is_present(SPEC)


def test_ill_hub_is_a_matter_of_time(pulls: Pulls, hub: HubServer) -> None:
    hub.status = 503

    with pytest.raises(TemporaryError, match="the hub answers 503"):
        pulls.pull(SPEC)


def test_without_a_network_import_is_named(pulls: Pulls) -> None:
    unreachable = replace(pulls, endpoint="http://127.0.0.1:9")

    with pytest.raises(TemporaryError, match="vision models import tiny FOLDER"):
        unreachable.pull(SPEC)


def test_offline_mode_names_import(tmp_path: Path, hub: HubServer) -> None:
    """In a process of its own: the client reads its environment when it is imported."""
    model = next(name for name, spec in listed_specs().items() if _is_open_on_the_hub(spec))
    environment = {**os.environ, "VISION_MODELS_DIR": str(tmp_path), "HF_ENDPOINT": hub.url}
    command = [sys.executable, "-m", "vision.cli.main", "models", "pull", model]

    ended = subprocess.run(
        command,
        env=environment | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "HF_HUB_OFFLINE is set" in ended.stderr
    assert f"vision models import {model} FOLDER" in ended.stderr
    assert hub.asked == []


def test_endpoint_and_token_of_the_environment_are_used(tmp_path: Path) -> None:
    model = next(name for name, spec in listed_specs().items() if _is_open_on_the_hub(spec))
    weights = listed_specs()[model].weights
    assert isinstance(weights, SnapshotSpec)
    with serving_hub(str(weights.hub), dict.fromkeys(weights.files, b"{}")) as hub:
        hub.commits = {str(weights.revision): hub.commits[COMMIT]}
        hub.is_gated = True
        environment = {"VISION_MODELS_DIR": str(tmp_path), "HF_ENDPOINT": hub.url}
        ended = subprocess.run(
            [sys.executable, "-m", "vision.cli.main", "models", "pull", model],
            env={**os.environ, **environment, "HF_TOKEN": TOKEN},
            capture_output=True,
            text=True,
            check=False,
        )

    assert ended.returncode == 1
    assert "isn't the file of" in ended.stderr, "let in by the token; what came isn't the model"


def _is_open_on_the_hub(spec: ModelSpec) -> bool:
    return (
        isinstance(spec.weights, SnapshotSpec)
        and spec.weights.hub is not None
        and spec.weights.files.get("model.safetensors") is not None
    )


def _stop_at_once(here: int, _total: int | None) -> None:
    if here > 1_000:
        raise Stopped


def _size_when_at_least(size: int, models_dir: Path) -> int:
    """Of the partial file, as soon as it has so many bytes."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for part in models_dir.rglob(f"{TENSORS}.part"):
            if part.stat().st_size >= size:
                return part.stat().st_size
    raise TimeoutError("the partial file doesn't grow")
