"""Terms that forbid uses: facts, who accepted them, and the gate before a model runs."""

import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from example_family import (
    LISTED,
    RESTRICTED,
    block,
    example_family,
    pool_of,
    restricted_family,
    save_tiny,
)

from vision.errors import Conflict, InvalidRequest, LicenseNotAccepted
from vision.models.acceptances import ACCEPTANCES_FILE, LONGEST_NAME, Acceptances
from vision.models.adding import add_model
from vision.models.base import Classifier
from vision.models.catalogue import Catalogue, listed_specs
from vision.models.licenses import Gate, License
from vision.models.pulls import Pulls
from vision.models.spec import ModelSpec
from vision.models.weights import WeightsStore
from vision.pipelines.named import NAMED
from vision.pipelines.plan import models_of


@pytest.fixture(autouse=True)
def family(tmp_path: Path) -> Iterator[None]:
    with restricted_family(tmp_path / "family"):
        yield


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def acceptances(models_dir: Path) -> Acceptances:
    return Acceptances(models_dir)


def restricted() -> ModelSpec:
    return listed_specs()[LISTED]


def test_no_named_pipeline_needs_a_gated_or_restricted_model() -> None:
    used = {name for pipeline in NAMED.values() for name in models_of(pipeline.document)}

    assert used
    for name in used:
        terms = listed_specs()[name].license
        assert (terms.gate, terms.is_restricted) == (Gate.NONE, False), name


def test_every_gated_model_says_what_its_terms_forbid() -> None:
    gated = [spec for spec in listed_specs().values() if spec.license.gate is not Gate.NONE]

    assert gated
    for spec in gated:
        assert all(sentence.endswith(".") for sentence in spec.license.forbids), spec.name
        assert spec.license.forbids, spec.name


def test_family_may_say_more_of_a_known_licence(tmp_path: Path) -> None:
    terms = "license: {name: SAM License, gate: none}"
    listed = block("yaml").replace("license: Apache-2.0", terms)

    with example_family(tmp_path / "another", listed=listed):
        found = restricted().license

    assert (found.name, found.gate, found.is_restricted) == ("SAM License", Gate.NONE, True)


def test_model_does_not_run_before_somebody_accepts(models_dir: Path, tmp_path: Path) -> None:
    save_tiny(tmp_path / "tiny")
    Pulls(WeightsStore(models_dir)).take(restricted(), tmp_path / "tiny")
    pool = pool_of(models_dir)

    with pytest.raises(LicenseNotAccepted) as refusal:
        pool.get(LISTED, Classifier)
    Acceptances(models_dir).accept(restricted(), by="Ada")

    assert pool.get(LISTED, Classifier).identity.name == LISTED
    assert f"`vision models accept {LISTED}`" in str(refusal.value)
    assert f"POST /v1/models/{LISTED}/acceptance" in str(refusal.value)


def test_withdrawn_model_leaves_a_running_pool(models_dir: Path, tmp_path: Path) -> None:
    save_tiny(tmp_path / "tiny")
    Pulls(WeightsStore(models_dir)).take(restricted(), tmp_path / "tiny")
    Acceptances(models_dir).accept(restricted(), by="Ada")
    pool = pool_of(models_dir)
    pool.get(LISTED, Classifier)

    assert Acceptances(models_dir).withdraw(restricted(), by="Bob")

    with pytest.raises(LicenseNotAccepted):
        pool.get(LISTED, Classifier)
    assert pool.loaded == ()


def test_own_weights_are_under_the_terms_of_the_listed_ones(
    models_dir: Path, tmp_path: Path
) -> None:
    save_tiny(tmp_path / "tiny")
    own = add_model(models_dir, "mine", like=LISTED, file=tmp_path / "tiny")

    with pytest.raises(LicenseNotAccepted, match=f"accept {LISTED}"):
        pool_of(models_dir).get("mine", Classifier)
    held, _ = Acceptances(models_dir).accept(own, by="Ada")

    assert (own.license.name, held.model) == (RESTRICTED, LISTED)
    assert pool_of(models_dir).get("mine", Classifier).identity.name == "mine"


def test_acceptance_says_who_when_and_what(acceptances: Acceptances) -> None:
    held, is_new = acceptances.accept(restricted(), by=" Ada Lovelace ")

    assert is_new
    assert (held.model, held.license, held.accepted_by) == (LISTED, RESTRICTED, "Ada Lovelace")
    assert held.facts_sha256 == restricted().license.sha256
    assert held.at.endswith("Z")
    assert acceptances.of(restricted()) == held


def test_first_acceptance_stays(acceptances: Acceptances, models_dir: Path) -> None:
    first, _ = acceptances.accept(restricted(), by="Ada")

    assert acceptances.accept(restricted(), by="Bob") == (first, False)
    assert len((models_dir / ACCEPTANCES_FILE).read_text().splitlines()) == 1


def test_other_facts_are_accepted_anew(acceptances: Acceptances) -> None:
    acceptances.accept(restricted(), by="Ada")
    terms = restricted().license
    stricter = replace(restricted(), license=replace(terms, forbids=(*terms.forbids, "No more.")))

    assert acceptances.permits(restricted())
    assert not acceptances.permits(stricter)
    assert acceptances.accept(stricter, by="Bob")[1]


def test_history_is_kept(acceptances: Acceptances, models_dir: Path) -> None:
    acceptances.accept(restricted(), by="Ada")
    assert acceptances.withdraw(restricted(), by="Bob")
    assert not acceptances.withdraw(restricted(), by="Bob")
    acceptances.accept(restricted(), by="Cyd")

    lines = [json.loads(line) for line in (models_dir / ACCEPTANCES_FILE).read_text().splitlines()]
    assert [(line["accepted_by"], line["is_withdrawn"]) for line in lines] == [
        ("Ada", False),
        ("Bob", True),
        ("Cyd", False),
    ]


def test_line_that_a_crash_cut_off_counts_for_nothing(
    acceptances: Acceptances, models_dir: Path
) -> None:
    models_dir.mkdir()
    (models_dir / ACCEPTANCES_FILE).write_text('{"model": "convnextv2_tiny", "lic')

    assert not acceptances.permits(restricted())
    acceptances.accept(restricted(), by="Ada")

    assert Acceptances(models_dir).permits(restricted())


def test_whoever_comes_second_waits_for_the_first(
    acceptances: Acceptances, models_dir: Path
) -> None:
    spec = restricted()
    first, _ = Acceptances(models_dir / "elsewhere").accept(spec, by="first")
    with (models_dir / ACCEPTANCES_FILE).open("ab") as file, ThreadPoolExecutor(1) as threads:
        fcntl.flock(file, fcntl.LOCK_EX)
        second = threads.submit(acceptances.accept, spec, by="second")
        with pytest.raises(TimeoutError):
            second.result(0.5)
        file.write(json.dumps(asdict(first)).encode() + b"\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_UN)

        assert second.result(60) == (first, False)


def test_many_at_once_make_one_acceptance(models_dir: Path) -> None:
    """Each with a file of its own open, as processes have."""
    spec = restricted()

    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(
                lambda number: Acceptances(models_dir).accept(spec, by=f"number {number}"),
                range(40),
            )
        )

    assert sum(is_new for _, is_new in answers) == 1
    assert len({held.accepted_by for held, _ in answers}) == 1
    assert len((models_dir / ACCEPTANCES_FILE).read_text().splitlines()) == 1


def test_free_licence_needs_and_takes_no_acceptance(acceptances: Acceptances) -> None:
    free = listed_specs()["sam_vit_b"]

    assert acceptances.permits(free)
    with pytest.raises(Conflict, match="the licence of sam_vit_b, restricts no use"):
        acceptances.accept(free, by="Ada")


@pytest.mark.parametrize("by", ["", "  ", "a" * (LONGEST_NAME + 1)])
def test_somebody_must_stand_by_it(acceptances: Acceptances, by: str) -> None:
    with pytest.raises(InvalidRequest, match="say who"):
        acceptances.accept(restricted(), by=by)

    assert not acceptances.permits(restricted())


def test_hash_of_facts_is_of_all_of_them() -> None:
    terms = License("A", Gate.FORM, ("No.",), "So.")
    others = (
        replace(terms, name="B"),
        replace(terms, gate=Gate.NONE),
        replace(terms, forbids=("No!",)),
        replace(terms, note=""),
    )

    assert len({one.sha256 for one in (terms, *others)}) == 5


def test_command_line_accepts_shows_and_withdraws(tmp_path: Path) -> None:
    """With a model of the product: the example's family is in this process only."""
    name = next(spec.name for spec in Catalogue().specs if _is_the_products(spec))

    accepted = _vision(tmp_path, "accept", name, "--by", "Ada Lovelace")
    shown = json.loads(_vision(tmp_path, "show", name, "--json"))
    withdrawn = _vision(tmp_path, "accept", name, "--withdraw")
    after = json.loads(_vision(tmp_path, "show", name, "--json"))

    assert f"{name}: accepted by Ada Lovelace at" in accepted
    assert all(sentence in accepted for sentence in shown["license_forbids"])
    assert shown["acceptance"].startswith("by Ada Lovelace at")
    assert "not accepted" not in shown["state"]
    assert withdrawn == f"{name}: withdrawn\n"
    assert (after["acceptance"], "not accepted" in after["state"]) == ("none", True)


def _is_the_products(spec: ModelSpec) -> bool:
    return spec.license.is_restricted and spec.name != LISTED


def _vision(models_dir: Path, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "vision.cli.main", "models", *arguments],
        env={"PATH": "", "VISION_MODELS_DIR": str(models_dir)},
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout
