"""Vectors and names of pictures and films: pages, streams, filters, items, exports."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
from films import FACTS, keep_film, seconds_of, submitted
from pictures import picture
from said import DIMENSIONS, SayingStudio, say, vectors
from serving import serving, settings_in

from api.schemas.classifications import ClassificationAnswer
from api.schemas.embeddings import EmbeddingAnswer
from vision.domain.job import NewAsset, NewJob
from vision.engine.parts import Engine

NDJSON = {"Accept": "application/x-ndjson"}


@dataclass(frozen=True)
class Said:
    """A job over two pictures and one over a film; both ended."""

    client: httpx.Client
    engine: Engine
    pictures: str
    film: str
    assets: tuple[str, ...]

    def rows(self, job: str, kind: str, **query: Any) -> list[Any]:
        """The items of one page."""
        answer = self.client.get(f"/v1/jobs/{job}/{kind}", params=query)
        assert answer.status_code == 200, answer.text
        items: list[Any] = answer.json()["items"]
        return items

    def export(self, job: str, form: str) -> httpx.Response:
        return self.client.get(f"/v1/jobs/{job}/export", params={"format": form})


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    folder: Path = tmp_path_factory.mktemp("said")
    with serving(settings_in(folder)) as served:
        client, engine = served.client, served.engine
        files = [("files", (f"{seed}.jpg", picture(seed=seed))) for seed in (1, 2)]
        pictures = client.post("/v1/jobs", files=files, data={"pipeline": "demo"}).json()["id"]
        say(engine)
        film = submitted(client, keep_film(engine))
        SayingStudio(engine).work()
        items = client.get(f"/v1/jobs/{pictures}/items").json()["items"]
        yield Said(client, engine, pictures, film, tuple(item["asset_id"] for item in items))


def test_a_vector_says_of_what_and_by_what(said: Said) -> None:
    whole, car, person, *_ = said.rows(said.pictures, "embeddings")
    found = said.rows(said.pictures, "detections")

    assert whole == {
        "job_id": said.pictures,
        "asset_id": said.assets[0],
        "item": 0,
        "of": "image",
        "frame_index": None,
        "pts_seconds": None,
        "detection_id": None,
        "label": None,
        "score": None,
        "box": None,
        "track_id": None,
        "model": "small_dino",
        "weights_sha256": "ef" * 32,
        "dimensions": DIMENSIONS,
        "vector": whole["vector"],
        "provenance": found[0]["provenance"],
    }
    np.testing.assert_array_equal(np.array(whole["vector"], np.float32), vectors(1, seed=0)[0])
    assert [one["detection_id"] for one in (car, person)] == [one["id"] for one in found[:2]]
    assert (car["of"], car["label"], car["box"]) == ("detection", "car", [20, 10, 60, 30])
    assert car["score"] == 0.9


def test_a_name_says_of_what_and_how_sure(said: Said) -> None:
    first, *others = said.rows(said.pictures, "classifications")

    assert first == {
        "job_id": said.pictures,
        "asset_id": said.assets[0],
        "item": 0,
        "of": "image",
        "rank": 1,
        "label": "street 0",
        "class_id": 0,
        "score": 0.75,
        "frame_index": None,
        "first_frame": None,
        "last_frame": None,
        "from_seconds": None,
        "to_seconds": None,
        "provenance": first["provenance"],
    }
    assert [one["rank"] for one in others] == [2, 3, 1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "schema"),
    [("embeddings", EmbeddingAnswer), ("classifications", ClassificationAnswer)],
)
def test_rows_are_what_the_schema_says(said: Said, kind: str, schema: Any) -> None:
    for job in (said.pictures, said.film):
        for row in said.rows(job, kind):
            assert set(row) == set(schema.model_fields)
            schema.model_validate(row)


def test_numbers_stay_away_when_they_are_not_wanted(said: Said) -> None:
    rows = said.rows(said.pictures, "embeddings", vectors="false")

    assert len(rows) == 6
    assert all("vector" not in row and row["dimensions"] == DIMENSIONS for row in rows)


@pytest.mark.parametrize("kind", ["embeddings", "classifications"])
def test_pages_lead_through_all_rows_and_a_stream_has_the_same(said: Said, kind: str) -> None:
    path, query, rows = f"/v1/jobs/{said.film}/{kind}", {"limit": 7}, []
    while True:
        page = said.client.get(path, params=query).json()
        rows += page["items"]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]

    lines = said.client.get(path, headers=NDJSON).text.splitlines()

    assert rows == [json.loads(line) for line in lines]
    assert len(rows) == {"embeddings": 10, "classifications": 14}[kind]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"of": "image"}, 2, id="images"),
        pytest.param({"of": "image,detection"}, 6, id="both kinds"),
        pytest.param({"of": "frame"}, 0, id="no frames"),
        pytest.param({"frame_index": 0}, 0, id="no frame"),
        pytest.param({"detection_id": 5}, 0, id="no such detection"),
    ],
)
def test_filters_of_vectors(said: Said, query: dict[str, Any], expected: int) -> None:
    assert len(said.rows(said.pictures, "embeddings", **query)) == expected


def test_vectors_of_one_asset_and_of_one_detection(said: Said) -> None:
    of_second = said.rows(said.pictures, "embeddings", asset_id=said.assets[1])
    wanted = of_second[1]["detection_id"]

    (one,) = said.rows(said.pictures, "embeddings", detection_id=wanted)

    assert {row["item"] for row in of_second} == {1}
    assert one == of_second[1]


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        pytest.param({"top": 1}, ["street 0", "street 1"], id="the best"),
        pytest.param({"label": "yard"}, ["yard", "yard"], id="label"),
        pytest.param({"min_score": 0.5, "label": "sky"}, [], id="score"),
        pytest.param({"of": "clip,frame"}, [], id="no film"),
    ],
)
def test_filters_of_names(said: Said, query: dict[str, Any], labels: list[str]) -> None:
    found = said.rows(said.pictures, "classifications", **query)

    assert [one["label"] for one in found] == labels


def test_a_stretch_of_a_film_has_its_frames_and_its_clips(said: Said) -> None:
    stretch = {"from_seconds": seconds_of(20), "to_seconds": seconds_of(31)}

    frames = said.rows(said.film, "embeddings", **stretch)
    named = said.rows(said.film, "classifications", **stretch, top=1)

    assert [(one["of"], one["frame_index"]) for one in frames] == [("frame", 20), ("frame", 30)]
    assert [one["pts_seconds"] for one in frames] == [seconds_of(20), seconds_of(30)]
    assert [(one["of"], one["label"]) for one in named] == [
        ("frame", "light 20"),
        ("frame", "light 30"),
        ("clip", "walk 1"),
    ]
    assert (named[2]["from_seconds"], named[2]["to_seconds"]) == (seconds_of(0), seconds_of(49))


def test_items_tell_the_best_names_and_how_many_vectors(said: Said) -> None:
    pictures = said.rows(said.pictures, "items")
    (film,) = said.rows(said.film, "items")

    assert [one["embeddings"] for one in pictures] == [3, 3]
    assert pictures[1]["classes"] == [
        {"label": "street 1", "class_id": 0, "score": 0.75},
        {"label": "yard", "class_id": 1, "score": 0.5},
        {"label": "sky", "class_id": 2, "score": 0.25},
    ]
    assert film["embeddings"] == 10
    assert [one["label"] for one in film["classes"]] == [f"light {n}" for n in (0, 10, 20, 30, 40)]


def test_detections_have_their_vectors_when_asked(said: Said) -> None:
    plain, with_vectors = (
        said.rows(said.pictures, "detections", include=include) for include in ("mask", "embedding")
    )

    assert "embedding" not in plain[0]
    np.testing.assert_array_equal(
        np.array([one["embedding"] for one in with_vectors[2:]], np.float32), vectors(2, seed=101)
    )
    film = said.rows(said.film, "detections", include="embedding", limit=2)
    assert [one["embedding"] for one in film] == [None, None]


@pytest.mark.parametrize(
    ("kind", "query", "field"),
    [
        ("embeddings", {"of": "clip"}, "of.0"),
        ("embeddings", {"detection_id": "car"}, "detection_id"),
        ("embeddings", {"detection_id": str(2**64)}, "detection_id"),
        ("embeddings", {"label": "car"}, "label"),
        ("embeddings", {"cursor": "nonsense"}, "cursor"),
        ("classifications", {"top": "0"}, "top"),
        ("classifications", {"top": str(2**40)}, "top"),
        ("classifications", {"min_score": "nan"}, "min_score"),
        ("classifications", {"of": "detection"}, "of.0"),
        ("classifications", {"limit": "1001"}, "limit"),
    ],
)
def test_a_wrong_question_is_refused_by_name(
    said: Said, kind: str, query: dict[str, str], field: str
) -> None:
    answer = said.client.get(f"/v1/jobs/{said.pictures}/{kind}", params=query)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("kind", ["embeddings", "classifications"])
def test_an_unknown_job_has_none(said: Said, kind: str) -> None:
    nobody = "01900000-0000-7000-8000-000000000000"

    assert said.client.get(f"/v1/jobs/{nobody}/{kind}").status_code == 404


def test_another_tenants_job_has_none(said: Said) -> None:
    place = NewAsset("9" * 64, FACTS, 8, "theirs.mp4", "theirs", tenant="other")
    asset, _ = said.engine.assets.add(place)
    new = NewJob((asset.id,), {"embed": {}}, "0" * 64, tenant="other")
    job, _ = said.engine.jobs.submit(new, max_open_units=9)

    for kind in ("embeddings", "classifications"):
        assert said.client.get(f"/v1/jobs/{job.id}/{kind}").status_code == 404


def test_every_vector_is_in_one_file(said: Said) -> None:
    answer = said.export(said.pictures, "embeddings")
    table = pq.read_table(io.BytesIO(answer.content))

    rows = said.rows(said.pictures, "embeddings")
    flat = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, DIMENSIONS)
    assert f'filename="{said.pictures}.embeddings.parquet"' in answer.headers["content-disposition"]
    np.testing.assert_array_equal(flat, np.array([one["vector"] for one in rows], np.float32))
    assert [str(one or "") for one in table["detection_id"].to_pylist()] == [
        one["detection_id"] or "" for one in rows
    ]


def test_lines_have_names_and_vectors(said: Said) -> None:
    lines = [json.loads(line) for line in said.export(said.pictures, "jsonl").text.splitlines()]
    film = [json.loads(line) for line in said.export(said.film, "jsonl").text.splitlines()]

    whole, car, _ = said.rows(said.pictures, "embeddings", asset_id=said.assets[0])
    assert lines[0]["embedding"] == whole["vector"]
    assert lines[0]["detections"][0]["embedding"] == car["vector"]
    assert [one["label"] for one in lines[1]["classes"]] == ["street 1", "yard", "sky"]
    frames = [line for line in film if "frame_index" in line]
    clips = [line for line in film if "first_frame" in line and "classes" in line]
    assert [one["frame_index"] for one in frames if one["embedding"]] == list(range(0, 100, 10))
    assert [[name["label"] for name in one["classes"]] for one in clips] == [
        ["walk 1", "run"],
        ["walk 2", "run"],
    ]


def test_names_are_a_table(said: Said) -> None:
    rows = list(csv.DictReader(io.StringIO(said.export(said.film, "classes").text)))

    assert [row["of"] for row in rows].count("clip") == 4
    assert {row["filename"] for row in rows} == {"yard.mp4"}


def test_a_job_without_vectors_has_no_such_file(said: Said) -> None:
    job = submitted(said.client, keep_film(said.engine))

    answer = said.export(job, "embeddings")

    assert answer.status_code == 422
    assert "no embeddings" in answer.json()["detail"]
