"""What was found: pages, streams, filters, counts, exports."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet
import pytest
from pictures import picture
from serving import serving, settings_in
from work import many_things, two_things, work

from api.schemas.base import PageAnswer
from api.schemas.detections import DetectionAnswer

MANY = 2600
"""More than the store reads and the API writes in one go."""


@dataclass(frozen=True)
class Finished:
    """Two jobs that ended: one over two pictures with two things each, one with very many."""

    client: httpx.Client
    small: str
    large: str
    assets: tuple[str, ...]

    def found(self, path: str = "", **query: Any) -> list[Any]:
        """The items of one page of a job's detections, or of all detections."""
        answer = self.client.get(f"/v1{path}/detections", params=query)
        assert answer.status_code == 200, answer.text
        items: list[Any] = answer.json()["items"]
        return items


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    folder: Path = tmp_path_factory.mktemp("results")
    with serving(settings_in(folder)) as served:
        client = served.client
        small = _submitted(client, seeds=(1, 2), tag="small")
        work(served.engine, two_things)
        large = _submitted(client, seeds=(3,), tag="large")
        work(served.engine, many_things(MANY))
        items = client.get(f"/v1/jobs/{small}/items").json()["items"]
        yield Finished(client, small, large, tuple(item["asset_id"] for item in items))


def _submitted(client: httpx.Client, *, seeds: tuple[int, ...], tag: str) -> str:
    files = [("files", (f"{seed}.jpg", picture(seed=seed))) for seed in seeds]
    form = {"pipeline": "demo", "tags": tag}
    job_id: str = client.post("/v1/jobs", files=files, data=form).json()["id"]
    return job_id


def test_a_detection_says_what_where_and_by_what(finished: Finished) -> None:
    car, person, *_ = finished.found(f"/jobs/{finished.small}")

    assert car == {
        "id": car["id"],
        "job_id": finished.small,
        "asset_id": finished.assets[0],
        "item": 0,
        "frame_index": None,
        "pts_seconds": None,
        "label": "car",
        "class_id": 2,
        "score": 0.9,
        "box": [20.0, 10.0, 60.0, 30.0],
        "track_id": None,
        "predicted_iou": None,
        "stability_score": None,
        "provenance": car["provenance"],
        "created_at": car["created_at"],
    }
    job = finished.client.get(f"/v1/jobs/{finished.small}").json()
    assert [run["digest"] for run in job["provenances"]] == [car["provenance"]]
    assert person["score"] == 0.6


def test_masks_and_keypoints_come_when_they_are_asked_for(finished: Finished) -> None:
    path = f"/jobs/{finished.small}"

    both = finished.found(path, include="mask,keypoints")[0]
    mask = finished.found(path, include="mask")[0]

    assert both["mask"]["size"] == [48, 64]
    assert both["keypoints"] == [[25.0, 12.0, 0.5], [50.0, 28.0, 0.25]]
    assert mask["mask"] == both["mask"]
    assert "keypoints" not in mask
    large = finished.found(f"/jobs/{finished.large}", include="mask", limit=1)[0]
    assert large["mask"] is None


def test_a_page_is_what_the_schema_says(finished: Finished) -> None:
    query = {"include": "mask,keypoints,embedding"}
    answer = finished.client.get(f"/v1/jobs/{finished.small}/detections", params=query).json()
    documented = set(DetectionAnswer.model_fields)

    assert all(set(item) == documented for item in answer["items"])
    for item in answer["items"]:
        item.pop("created_at")  # text outside, seconds inside
        DetectionAnswer.model_validate(item | {"created_at": 0.0})
    assert set(answer) == set(PageAnswer.model_fields)


@pytest.mark.parametrize("limit", [7, 1000])
def test_pages_lead_through_all_rows_once_and_in_order(finished: Finished, limit: int) -> None:
    scores: list[float] = []
    query: dict[str, Any] = {"limit": limit, "min_score": 0.5 + 499.5 / (2 * MANY)}
    while True:
        page = finished.client.get(f"/v1/jobs/{finished.large}/detections", params=query).json()
        scores += [item["score"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]

    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores) == MANY - 499


def test_a_stream_has_every_row_a_line(finished: Finished) -> None:
    headers = {"Accept": "application/x-ndjson"}
    path = f"/v1/jobs/{finished.large}/detections"

    with finished.client.stream("GET", path, headers=headers) as answer:
        lines = [json.loads(line) for line in answer.iter_lines()]

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert len(lines) == MANY
    assert lines[:100] == finished.found(f"/jobs/{finished.large}")


def test_a_stream_ends_at_a_limit_that_was_named(finished: Finished) -> None:
    headers = {"Accept": "application/x-ndjson"}

    answer = finished.client.get("/v1/detections", params={"limit": 5}, headers=headers)

    assert len(answer.text.splitlines()) == 5


def test_a_stream_of_nothing_is_empty(finished: Finished) -> None:
    headers = {"Accept": "application/x-ndjson"}

    answer = finished.client.get("/v1/detections?label=unicorn", headers=headers)

    assert (answer.status_code, answer.content) == (200, b"")


def test_filters_of_a_job(finished: Finished) -> None:
    path = f"/jobs/{finished.small}"

    assert {one["label"] for one in finished.found(path, label="car")} == {"car"}
    assert len(finished.found(path, min_score=0.7)) == 2
    assert len(finished.found(path, asset_id=finished.assets[1])) == 2
    assert len(finished.found(path, label="person", asset_id=finished.assets[1])) == 1
    assert finished.found(path, track_id=1) == []
    assert finished.found(path, frame_index=0) == []
    assert finished.found(path, from_seconds=0, to_seconds=10) == []


def test_filters_across_jobs(finished: Finished) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    future = datetime.now(UTC) + timedelta(hours=1)

    assert {one["job_id"] for one in finished.found(tag="small")} == {finished.small}
    assert len(finished.found(job_id=finished.small)) == 4
    assert len(finished.found(since=past.isoformat(), until=future.isoformat(), limit=3)) == 3
    assert finished.found(until=past.isoformat()) == []
    assert finished.found(since=future.isoformat()) == []
    assert finished.found(limit=1)[0]["job_id"] == finished.large


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"min_score": "2"}, "min_score"),
        ({"min_score": "nan"}, "min_score"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"include": "mask,pixels"}, "include.1"),
        ({"asset_id": "x"}, "asset_id"),
        ({"lable": "car"}, "lable"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-01-01T00:00:00"}, "since"),
        ({"label": "a\x00b"}, "label"),
    ],
)
def test_a_wrong_filter_is_refused_by_name(
    finished: Finished, query: dict[str, str], field: str
) -> None:
    answer = finished.client.get("/v1/detections", params=query)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_cursor_with_a_stream_is_refused(finished: Finished) -> None:
    cursor = finished.client.get("/v1/detections?limit=1").json()["next"]
    headers = {"Accept": "application/x-ndjson"}

    answer = finished.client.get("/v1/detections", params={"cursor": cursor}, headers=headers)

    assert answer.status_code == 422


def test_counts_by_label_most_frequent_first(finished: Finished) -> None:
    path = f"/v1/jobs/{finished.small}/counts"

    answer = finished.client.get(path, params={"group_by": "label", "bucket_seconds": 60})

    counts = {row["label"]: (row["detections"], row["items"]) for row in answer.json()["items"]}
    assert counts == {"car": (2, 2), "person": (2, 2)}
    assert finished.client.get(path, params={"group_by": "colour"}).status_code == 422


def exported(finished: Finished, name: str) -> httpx.Response:
    answer = finished.client.get(f"/v1/jobs/{finished.small}/export", params={"format": name})
    assert answer.status_code == 200
    assert f'filename="{finished.small}.{name}' in answer.headers["content-disposition"]
    assert int(answer.headers["content-length"]) == len(answer.content)
    return answer


def test_export_as_coco(finished: Finished) -> None:
    document = exported(finished, "coco").json()

    assert len(document["images"]) == 2
    assert len(document["annotations"]) == 4
    assert document["annotations"][0]["bbox"] == [20.0, 10.0, 40.0, 20.0]


def test_export_as_lines(finished: Finished) -> None:
    lines = [json.loads(line) for line in exported(finished, "jsonl").text.splitlines()]

    assert [line["asset_id"] for line in lines] == list(finished.assets)
    assert [len(line["detections"]) for line in lines] == [2, 2]


def test_export_as_table(finished: Finished) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(finished, "csv").text)))

    assert [row["label"] for row in rows] == ["car", "person", "car", "person"]


def test_export_as_parquet(finished: Finished) -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(exported(finished, "parquet").content))

    assert table.num_rows == 4


def test_an_unknown_format_is_refused_by_name(finished: Finished) -> None:
    path = f"/v1/jobs/{finished.small}/export"

    wrong = finished.client.get(path, params={"format": "xls"})
    missing = finished.client.get(path)

    assert (wrong.status_code, missing.status_code) == (422, 422)
    assert wrong.json()["errors"][0]["field"] == missing.json()["errors"][0]["field"] == "format"
