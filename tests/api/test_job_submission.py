"""Jobs come in once, whole, and are never lost or doubled; Redis plays no part in it."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pictures import picture
from serving import Served, serving, settings_in
from work import work

DETECT = {"detect": {"model": "demo_maskrcnn", "min_score": 0.5}}


def uploaded(client: httpx.Client, *, seed: int = 0) -> str:
    """Id of a new asset."""
    asset_id: str = client.post("/v1/assets", content=picture(seed=seed)).json()["id"]
    return asset_id


def test_a_json_job_is_queued(client: httpx.Client) -> None:
    asset_id = uploaded(client)

    answer = client.post("/v1/jobs", json={"asset_ids": [asset_id], "pipeline": DETECT})

    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["retry-after"]) >= 1
    assert job["state"] == "queued"
    progress = {name: value for name, value in job["progress"].items() if value is not None}
    assert progress == {"done": 0, "total": 1, "fraction": 0.0}
    assert job["pipeline"]["detect"] == DETECT["detect"] | {"max_detections": 300}
    assert [model["name"] for model in job["models"]] == ["demo_maskrcnn"]
    assert (job["items_failed"], job["error"], job["started_at"]) == (0, None, None)
    assert client.get(answer.headers["location"]).json() == job


@pytest.mark.parametrize("pipeline", ["demo", json.dumps(DETECT)], ids=["by name", "as JSON"])
def test_a_form_brings_its_own_files(client: httpx.Client, pipeline: str) -> None:
    files = [("files", (f"{seed}.jpg", picture(seed=seed))) for seed in range(3)]
    form = {"pipeline": pipeline, "tags": ["a", "b"], "priority": "3"}

    answer = client.post("/v1/jobs", files=files, data=form)

    job = answer.json()
    assert answer.status_code == 202
    assert (job["tags"], job["priority"], job["progress"]["total"]) == (["a", "b"], 3, 3)
    items = client.get(f"{answer.headers['location']}/items").json()["items"]
    assert [item["filename"] for item in items] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [(item["index"], item["state"]) for item in items] == [
        (0, "pending"),
        (1, "pending"),
        (2, "pending"),
    ]


def test_equal_files_of_a_form_are_one_item(client: httpx.Client) -> None:
    files = [("files", ("a.jpg", picture())), ("files", ("b.jpg", picture()))]

    job = client.post("/v1/jobs", files=files, data={"pipeline": "demo"}).json()

    assert job["progress"]["total"] == 1


def test_one_bad_file_of_a_form_is_named_and_there_is_no_job(client: httpx.Client) -> None:
    files = [("files", ("a.jpg", picture())), ("files", ("b.jpg", b"text, not a picture"))]

    answer = client.post("/v1/jobs", files=files, data={"pipeline": "demo"})

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_type")
    assert "files[1], 'b.jpg'" in answer.json()["detail"]
    assert client.get("/v1/jobs").json()["items"] == []


def test_a_wrong_pipeline_keeps_no_files(served: Served) -> None:
    form = {"pipeline": json.dumps({"detect": {"model": "nonesuch"}})}

    answer = served.client.post("/v1/jobs", files={"files": ("a.jpg", picture())}, data=form)

    assert answer.status_code == 422
    assert served.client.get("/v1/assets").json()["items"] == []
    assert list(served.engine.blobs.entries()) == []


@pytest.mark.parametrize("times", [2, 100])
def test_the_same_key_and_body_in_parallel_are_one_job(client: httpx.Client, times: int) -> None:
    body = {"asset_ids": [uploaded(client)], "pipeline": "demo"}
    headers = {"Idempotency-Key": "key-1"}

    with ThreadPoolExecutor(16) as pool:
        send = lambda _: client.post("/v1/jobs", json=body, headers=headers)  # noqa: E731
        answers = list(pool.map(send, range(times)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(client.get("/v1/jobs").json()["items"]) == 1


def test_the_same_key_with_another_body_is_refused(client: httpx.Client) -> None:
    body = {"asset_ids": [uploaded(client)], "pipeline": "demo"}
    headers = {"Idempotency-Key": "key-1"}
    client.post("/v1/jobs", json=body, headers=headers)

    answer = client.post("/v1/jobs", json=body | {"priority": 1}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_a_form_sent_twice_with_one_key_is_one_job(client: httpx.Client) -> None:
    def send() -> Any:
        form = {"files": ("a.jpg", picture())}
        headers = {"Idempotency-Key": "k"}
        return client.post("/v1/jobs", files=form, data={"pipeline": "demo"}, headers=headers)

    assert send().json()["id"] == send().json()["id"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"pipeline": "demo"}, "asset_ids"),
    ({"asset_ids": [], "pipeline": "demo"}, "asset_ids"),
    ({"asset_ids": ["x"], "pipeline": "demo"}, "asset_ids.0"),
    ({"asset_ids": [str(uuid4())] * 2, "pipeline": "demo"}, "asset_ids"),
    ({"asset_ids": [str(uuid4()) for _ in range(11)], "pipeline": "demo"}, "asset_ids"),
    ({"asset_ids": [str(uuid4())]}, "pipeline"),
    ({"asset_ids": [str(uuid4())], "pipeline": "nonesuch"}, "pipeline"),
    ({"asset_ids": [str(uuid4())], "pipeline": {"detekt": {}}}, "detekt"),
    ({"asset_ids": [str(uuid4())], "pipeline": {"detect": {"model": "nonesuch"}}}, "detect.model"),
    ({"asset_ids": [str(uuid4())], "pipeline": {"detect": {"model": "demo_sam"}}}, "detect.model"),
    (
        {"asset_ids": [str(uuid4())], "pipeline": {"detect": {"model": "demo_maskrcnn", "x": 1}}},
        "detect.x",
    ),
    ({"asset_ids": [str(uuid4())], "pipeline": "demo", "priorty": 1}, "priorty"),
    ({"asset_ids": [str(uuid4())], "pipeline": "demo", "priority": 10**9}, "priority"),
    ({"asset_ids": [str(uuid4())], "pipeline": "demo", "tags": [""]}, "tags.0"),
    ({"asset_ids": [str(uuid4())], "pipeline": "demo", "webhook": "file:///etc"}, "webhook"),
]


@pytest.mark.parametrize(("body", "field"), WRONG, ids=[field for _, field in WRONG])
def test_a_wrong_request_names_the_field(
    client: httpx.Client, body: dict[str, Any], field: str
) -> None:
    answer = client.post("/v1/jobs", json=body)

    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json()["errors"]]


def test_an_unknown_asset_is_not_found(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", json={"asset_ids": [str(uuid4())], "pipeline": "demo"})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"a":1,"a":2}', b"[" * 99_999, b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422


def test_a_json_body_of_megabytes_is_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", content=b'{"pipeline": "' + b"x" * 5_000_000 + b'"}')

    assert answer.status_code == 413


def test_more_files_than_allowed_are_refused(served: Served) -> None:
    files = [("files", ("a.jpg", picture(seed=seed))) for seed in range(6)]

    answer = served.client.post("/v1/jobs", files=files, data={"pipeline": "demo"})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["files"]
    assert list(served.engine.blobs.entries()) == []


def test_too_much_waiting_work_is_turned_away_until_some_is_done(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path / "data", max_open_units=2)) as served:
        body = {"asset_ids": [uploaded(served.client)], "pipeline": "demo"}
        accepted = [served.client.post("/v1/jobs", json=body).status_code for _ in range(2)]

        refused = served.client.post("/v1/jobs", json=body)
        work(served.engine)
        later = served.client.post("/v1/jobs", json=body)

    assert accepted == [202, 202]
    assert (refused.status_code, refused.json()["code"]) == (429, "too_busy")
    assert refused.json()["retryable"] is True
    assert int(refused.headers["retry-after"]) >= 1
    assert later.status_code == 202


def test_prefer_wait_answers_when_the_job_ends(served: Served) -> None:
    body = {"asset_ids": [uploaded(served.client)], "pipeline": "demo"}
    worker = threading.Thread(target=_work_when_there_is_some, args=(served,))
    worker.start()

    answer = served.client.post("/v1/jobs", json=body, headers={"Prefer": "wait=30"})
    worker.join()

    assert answer.status_code == 200
    assert answer.json()["state"] == "succeeded"
    assert answer.headers["preference-applied"] == "wait=30"
    assert "retry-after" not in answer.headers


def test_prefer_wait_gives_up_with_202(served: Served) -> None:
    body = {"asset_ids": [uploaded(served.client)], "pipeline": "demo"}

    answer = served.client.post("/v1/jobs", json=body, headers={"Prefer": "wait=1"})

    assert (answer.status_code, answer.json()["state"]) == (202, "queued")


def test_jobs_are_taken_while_redis_is_away(tmp_path: Path) -> None:
    nobody_there = "redis://127.0.0.1:1/0"
    with serving(settings_in(tmp_path / "data", broker_url=nobody_there)) as served:
        body = {"asset_ids": [uploaded(served.client)], "pipeline": "demo"}

        answer = served.client.post("/v1/jobs", json=body)
        ready = served.client.get("/readyz")

    assert (answer.status_code, ready.status_code) == (202, 200)


def _work_when_there_is_some(served: Served) -> None:
    deadline = time.monotonic() + 20
    while not work(served.engine) and time.monotonic() < deadline:
        time.sleep(0.02)
