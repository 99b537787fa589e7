"""A model under terms that forbid uses, by REST: refused, accepted, run, withdrawn."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from example_family import LABELS, LISTED, RESTRICTED, restricted_family, save_tiny
from pictures import picture
from serving import Served, serving, settings_in

from vision.domain.states import JobState
from vision.engine.parts import pace
from vision.engine.work_loop import work
from vision.engine.worker_parts import open_station
from vision.models.catalogue import listed_specs
from vision.models.pulls import Pulls

CLASSIFY = {"classify": {"model": LISTED}}
ACCEPTANCE = f"/v1/models/{LISTED}/acceptance"


@pytest.fixture(scope="module")
def warned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With the weights here."""
    folder: Path = tmp_path_factory.mktemp("terms")
    with (
        restricted_family(folder / "family"),
        serving(settings_in(folder / "data", device="cpu")) as served,
    ):
        save_tiny(folder / "tiny")
        Pulls(served.engine.weights).take(listed_specs()[LISTED], folder / "tiny")
        yield served


@pytest.fixture
def client(warned: Served) -> httpx.Client:
    warned.client.delete(ACCEPTANCE)
    return warned.client


@pytest.fixture
def asset_id(client: httpx.Client) -> str:
    return str(client.post("/v1/assets", content=picture()).json()["id"])


def _job(client: httpx.Client, asset_id: str) -> httpx.Response:
    return client.post("/v1/jobs", json={"asset_ids": [asset_id], "pipeline": CLASSIFY})


def _work(served: Served) -> None:
    with open_station(served.engine, served.settings, owner="test/1") as station:
        work(station, pace(served.settings))


def test_job_with_terms_that_nobody_accepted_is_refused(
    client: httpx.Client, asset_id: str
) -> None:
    answer = _job(client, asset_id)

    assert (answer.status_code, answer.json()["code"]) == (403, "license_not_accepted")
    assert f"vision models accept {LISTED}" in answer.json()["detail"]
    assert f"POST {ACCEPTANCE}" in answer.json()["detail"]
    assert not answer.json()["retryable"]


def test_accepted_model_runs(warned: Served, client: httpx.Client, asset_id: str) -> None:
    first = client.post(ACCEPTANCE, json={"accepted_by": "Ada"})
    again = client.post(ACCEPTANCE, json={"accepted_by": "Bob"})
    job = _job(client, asset_id).json()
    _work(warned)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (first.json()["accepted_by"], first.json()["license"]) == ("Ada", RESTRICTED)
    assert warned.engine.jobs.get(UUID(job["id"])).state is JobState.SUCCEEDED


def test_card_shows_terms_and_acceptance(client: httpx.Client) -> None:
    before = client.get(f"/v1/models/{LISTED}").json()
    accepted = client.post(ACCEPTANCE, json={"accepted_by": "Ada"}).json()
    after = client.get(f"/v1/models/{LISTED}").json()

    assert before["license_facts"]["restricted"]
    assert before["license_facts"]["forbids"]
    assert before["license_facts"]["gate"] == "form"
    assert (before["acceptance"], after["acceptance"]) == (None, accepted)
    assert accepted["facts_sha256"] == before["license_facts"]["facts_sha256"]
    assert set(after["labels"]) == set(LABELS)
    assert (after["weights"]["present"], after["weights"]["hub"]) == (
        True,
        "facebook/convnextv2-tiny-1k-224",
    )


def test_job_whose_terms_were_withdrawn_meanwhile_fails_and_says_so(
    warned: Served, client: httpx.Client, asset_id: str
) -> None:
    client.post(ACCEPTANCE, json={"accepted_by": "Ada"})
    job = _job(client, asset_id).json()
    withdrawn = client.delete(ACCEPTANCE)
    _work(warned)

    ended = warned.engine.jobs.get(UUID(job["id"]))
    assert withdrawn.status_code == 204
    assert ended.state is JobState.FAILED
    assert ended.error is not None
    assert ended.error.code == "license_not_accepted"
    assert client.delete(ACCEPTANCE).status_code == 204


def test_body_is_strict_and_short(client: httpx.Client) -> None:
    twice = client.post(ACCEPTANCE, content=b'{"accepted_by": "Ada", "accepted_by": "Bob"}')
    long = client.post(ACCEPTANCE, content=b" " * 65_537)

    assert (twice.status_code, long.status_code) == (422, 413)
    assert client.get(f"/v1/models/{LISTED}").json()["acceptance"] is None


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        (LISTED, {}, 422, "invalid_request"),
        (LISTED, {"accepted_by": ""}, 422, "invalid_request"),
        (LISTED, {"accepted_by": "a" * 201}, 422, "invalid_request"),
        (LISTED, {"accepted_by": "Ada", "on": "today"}, 422, "invalid_request"),
        ("sam_vit_b", {"accepted_by": "Ada"}, 409, "conflict"),
        ("nothing", {"accepted_by": "Ada"}, 404, "unknown_model"),
    ],
    ids=["nobody", "nameless", "long name", "unknown field", "free licence", "no such model"],
)
def test_what_cannot_be_accepted(
    client: httpx.Client, name: str, body: dict[str, str], status: int, code: str
) -> None:
    answer = client.post(f"/v1/models/{name}/acceptance", json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
