"""Whatever is asked, the answer is never a 500."""

import json
import random
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from films import Studio, keep_film, submitted
from pictures import picture
from serving import Served, serving, settings_in
from work import work

HUGE = 10**30
VALUES = [
    "",
    "0",
    "-1",
    str(2**63),
    str(HUGE),
    "1e308",
    "1e999",
    "nan",
    "inf",
    "null",
    "' or 1=1 --",
    "%",
    "_",
    "😀",
    "\x00",
    "\ufffe",
    "a" * 5000,
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "WyJkZXRlY3Rpb25zIiwxXQ",
    "////",
    "mask,keypoints,",
    "ndjson",
    "[]",
    str(uuid4()),
]
PARAMETERS = {
    "/v1/assets": ("limit", "cursor", "tag"),
    "/v1/jobs": ("limit", "cursor", "state", "tag"),
    "/v1/jobs/{job}/items": ("limit", "cursor"),
    "/v1/detections": (
        *("limit", "cursor", "label", "min_score", "asset_id", "track_id", "frame_index"),
        *("from_seconds", "to_seconds", "include", "job_id", "tag", "since", "until"),
    ),
    "/v1/jobs/{job}/detections": (
        *("limit", "cursor", "label", "min_score", "asset_id", "track_id", "frame_index"),
        *("from_seconds", "to_seconds", "include"),
    ),
    "/v1/jobs/{job}/tracks": (
        *("limit", "cursor", "label", "asset_id", "track_id", "from_seconds", "to_seconds"),
        "min_detections",
    ),
    "/v1/jobs/{job}/counts": ("group_by", "bucket_seconds", "asset_id", "label"),
    "/v1/jobs/{job}/export": ("format",),
    "/v1/jobs/{job}/items/{asset}/annotated": ("format", "boxes", "masks", "at_seconds"),
}

ANSWERS = (200, 202, 406, 422)


@pytest.fixture
def on_each_database(database_url: str, tmp_path: Path) -> Iterator[Served]:
    """What one database shrugs off, another calls an error."""
    with serving(settings_in(tmp_path, database_url=database_url)) as running:
        yield running


def test_no_value_of_any_parameter_breaks_us(on_each_database: Served) -> None:
    client = on_each_database.client
    for job, asset in (_finished(on_each_database), _finished_film(on_each_database)):
        _ask_everything(client, job, asset)


def _ask_everything(client: httpx.Client, job: str, asset: str) -> None:
    for path, parameters in PARAMETERS.items():
        address = path.format(job=job, asset=asset)
        for parameter, value in product(parameters, VALUES):
            for accept in ("*/*", "application/x-ndjson"):
                answer = client.get(address, params={parameter: value}, headers={"Accept": accept})
                assert answer.status_code in ANSWERS, (path, parameter, value, answer.text)


def test_no_cursor_of_another_list_breaks_us(on_each_database: Served) -> None:
    client = on_each_database.client
    job, _ = _finished(on_each_database)
    _finished(on_each_database)
    film, _ = _finished_film(on_each_database)
    lists = ["/v1/assets", "/v1/jobs", "/v1/detections", f"/v1/jobs/{job}/detections"]
    lists.append(f"/v1/jobs/{film}/tracks")
    cursors = [client.get(one, params={"limit": 1}).json()["next"] for one in lists]

    for address in [*lists, f"/v1/jobs/{job}/items"]:
        for cursor in cursors:
            answer = client.get(address, params={"cursor": cursor})
            assert answer.status_code in (200, 422), (address, cursor, answer.text)


ODD_BODIES: list[Any] = [
    {"pipeline": {"\ud800": 1}},
    {"pipeline": "\ud800"},
    {"\ud800": 1},
    {"tags": ["\ud800"]},
    {"tags": ["\x00"]},
    {"tags": "abc"},
    {"webhook": "http://\ud800"},
    {"webhook": "http://" + "a" * 5000},
    {"priority": HUGE},
    {"priority": 1.5},
    {"pipeline": {"detect": {"model": "\x00"}}},
    {"pipeline": {"detect": {"model": "demo_maskrcnn", "labels": ["\ud800"]}}},
    {"pipeline": {"detect": {"model": "demo_maskrcnn", "max_detections": HUGE}}},
    {"pipeline": {"segment": {"model": "demo_sam", "prompt": {"points": [[1, 1, 1]] * 2000}}}},
    {"pipeline": {"segment": {"model": "demo_sam", "prompt": {"boxes": [[5, 5, 1, 1]]}}}},
    {"pipeline": {"segment": {"model": "demo_sam", "prompt": {"points": [[HUGE, 0, 1]]}}}},
    {"pipeline": []},
    {"pipeline": None},
    {"asset_ids": {"a": 1}},
    {"asset_ids": [HUGE]},
]


@pytest.mark.parametrize("change", ODD_BODIES, ids=range(len(ODD_BODIES)))
def test_no_body_of_a_job_breaks_us(client: httpx.Client, change: dict[str, Any]) -> None:
    body = {"asset_ids": [str(uuid4())], "pipeline": "demo"} | change

    # Not `json=`: the client would refuse to send half a surrogate pair.
    answer = client.post("/v1/jobs", content=json.dumps(body))

    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] in ("invalid_request", "invalid_pipeline")


@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency-Key": ""},
        {"Idempotency-Key": "x" * 256},
        {"Idempotency-Key": b"\xff\xfe"},
        {"Prefer": "wait=" + "9" * 100},
        {"Prefer": ",;=" * 300},
        {"Accept": "*/" * 1000},
        {"X-Filename": b"\xff" * 1000},
        {"Content-Type": "multipart/form-data; boundary="},
        {"Content-Type": b"\xff"},
    ],
    ids=str,
)
def test_no_header_breaks_us(client: httpx.Client, headers: dict[str, Any]) -> None:
    for path in ("/v1/jobs", "/v1/assets"):
        answer = client.post(path, content=picture(), headers=headers)
        assert answer.status_code < 500, answer.text


def test_no_damaged_picture_breaks_us(served: Served) -> None:
    dice = random.Random(7)
    whole = picture(kind="PNG") + picture()
    for _ in range(60):
        body = bytearray(whole[dice.randrange(len(whole)) :] if dice.random() < 0.3 else whole)
        for _ in range(dice.randrange(1, 20)):
            body[dice.randrange(len(body))] = dice.randrange(256)
        answer = served.client.post("/v1/assets", content=bytes(body))
        assert answer.status_code in (200, 201, 415, 422), answer.text


def _finished_film(served: Served) -> tuple[str, str]:
    """Ids of a job with tracks and of its video."""
    asset_id = keep_film(served.engine)
    job = submitted(served.client, asset_id)
    Studio(served.engine).work()
    return job, str(asset_id)


def _finished(served: Served) -> tuple[str, str]:
    """Ids of a job with results and of its asset."""
    body = picture(seed=random.randrange(10**6))
    form = {"files": ("a.jpg", body)}
    job = served.client.post("/v1/jobs", files=form, data={"pipeline": "demo"}).json()["id"]
    work(served.engine)
    (item,) = served.client.get(f"/v1/jobs/{job}/items").json()["items"]
    return job, item["asset_id"]
