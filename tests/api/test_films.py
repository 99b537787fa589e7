"""Videos seen from outside: facts, progress, what was found when, and what moved."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from databases import TEMPLATE, PostgresServer
from films import CROP, FRAMES, Studio, keep_film, seconds_of, submitted
from pictures import picture
from serving import Served, serving, settings_in

from api.schemas.tracks import TrackAnswer


def shown(client: httpx.Client, path: str, **query: Any) -> Any:
    answer = client.get(f"/v1{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@dataclass(frozen=True)
class Shot:
    """A finished job over two films and one picture."""

    served: Served
    job: str
    films: tuple[UUID, UUID]

    def rows(self, what: str, **query: Any) -> list[Any]:
        items: list[Any] = shown(self.served.client, f"/jobs/{self.job}/{what}", **query)["items"]
        return items


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shot(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shot]:
    url = None
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        server.execute(f"create database films template {TEMPLATE}")
        url = server.url("films")
    with serving(settings_in(tmp_path_factory.mktemp("films"), database_url=url)) as served:
        films = (keep_film(served.engine), keep_film(served.engine, name="gate.mkv"))
        image = UUID(served.client.post("/v1/assets", content=picture()).json()["id"])
        job = submitted(served.client, films[0], image, films[1])
        Studio(served.engine).work()
        yield Shot(served, job, films)


def test_a_stored_video_says_what_is_known_of_it(shot: Shot) -> None:
    asset = shown(shot.served.client, f"/assets/{shot.films[0]}")

    facts = {name: asset[name] for name in FACTS}
    assert facts == FACTS
    image = next(one for one in shot.rows("items") if one["kind"] == "image")
    assert {image[name] for name in FACTS_OF_VIDEOS} == {None}


FACTS = {
    "kind": "video",
    "media_type": "video/mp4",
    "width": 64,
    "height": 48,
    "orientation": 1,
    "rotation": 90,
    "duration_seconds": 10.0,
    "start_seconds": 1.0,
    "average_fps": 10.0,
    "real_fps": 10.0,
    "frame_count": 100,
    "container": "mp4",
    "codec": "h264",
}
FACTS_OF_VIDEOS = (
    *("duration_seconds", "start_seconds", "average_fps", "real_fps", "frame_count", "container"),
    *("codec", "progress", "frames_decoded", "frames_declared", "track_parameters"),
)


def test_a_finished_video_is_an_item_with_its_frames(shot: Shot) -> None:
    film, image, other = shot.rows("items")

    assert [one["state"] for one in (film, image, other)] == ["done"] * 3
    assert {name: film[name] for name in FACTS} == FACTS
    assert (film["frames_decoded"], film["frames_declared"]) == (FRAMES, FRAMES)
    assert film["progress"] == {
        "fraction": 1.0,
        "frames_done": FRAMES,
        "frames_total": FRAMES,
        "seconds_done": 10.0,
        "seconds_total": 10.0,
    }
    assert (film["counts"], film["detections"]) == ({"car": 80, "person": 49}, 129)
    assert film["track_parameters"]["algorithm"] == "bytetrack"
    progress = shown(shot.served.client, f"/jobs/{shot.job}")["progress"]
    assert (progress["done"], progress["fraction"], progress["frames_done"]) == (3, 1.0, 2 * FRAMES)


def test_a_detection_says_when_and_of_which_track(shot: Shot) -> None:
    first = shot.rows("detections", limit=1)[0]
    last = shot.rows("detections", asset_id=shot.films[1], limit=1000)[-1]

    assert (first["frame_index"], first["pts_seconds"], first["track_id"]) == (0, 1.0, 1)
    assert (last["frame_index"], last["pts_seconds"]) == (98, seconds_of(98))
    assert (last["label"], last["track_id"], last["item"]) == ("person", 2_000_002, 2)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, 2 * 129 + 2),
        ({"label": "person"}, 2 * 49 + 1),
        ({"min_score": 0.7}, 2 * 80 + 1),
        ({"track_id": 1}, 80),
        ({"track_id": 2_000_002}, 49),
        ({"track_id": 3}, 0),
        ({"frame_index": 60}, 4),
        ({"from_seconds": 5.9, "to_seconds": 6.1}, 2 * 3),
        ({"from_seconds": 9.0, "label": "car"}, 0),
        ({"to_seconds": 1.0}, 0),
        ({"from_seconds": -5, "to_seconds": 1.05}, 2),
        ({"from_seconds": 6.0, "to_seconds": 7.0, "track_id": 2, "min_score": 0.5}, 10),
    ],
    ids=str,
)
def test_detections_by_time_track_label_and_score(
    shot: Shot, query: dict[str, Any], expected: int
) -> None:
    assert len(shot.rows("detections", limit=1000, **query)) == expected


def test_detections_by_time_of_one_video(shot: Shot) -> None:
    query = {"asset_id": shot.films[1], "from_seconds": 6.0, "to_seconds": 6.05}

    assert [one["item"] for one in shot.rows("detections", **query)] == [2, 2]


def test_a_track_says_what_was_seen_when_and_where(shot: Shot) -> None:
    car, person, *others = shot.rows("tracks")

    place = {"job_id": shot.job, "asset_id": str(shot.films[0]), "item": 0}
    assert car == place | {
        "track_id": 1,
        "label": "car",
        "class_id": 2,
        "first_seconds": 1.0,
        "last_seconds": seconds_of(79),
        "first_frame": 0,
        "last_frame": 79,
        "detections": 80,
        "best": {
            "frame_index": 0,
            "pts_seconds": 1.0,
            "score": 0.9,
            "box": [0.0, 10.0, 20.0, 30.0],
            "crop": f"/v1/jobs/{shot.job}/tracks/1/crop",
        },
        "path": [[1.0, 10.0, 20.0], [seconds_of(79), 50.0, 20.0]],
    }
    assert (person["track_id"], person["best"]["crop"]) == (2, None)
    assert [one["track_id"] for one in others] == [2_000_001, 2_000_002]


def test_a_track_is_what_the_schema_says(shot: Shot) -> None:
    for row in shot.rows("tracks"):
        assert set(row) == set(TrackAnswer.model_fields)
        TrackAnswer.model_validate(row)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"label": "car"}, [1, 2_000_001]),
        ({"track_id": 2}, [2]),
        ({"min_detections": 50}, [1, 2_000_001]),
        ({"from_seconds": 9.0}, [2, 2_000_002]),
        ({"to_seconds": 6.0}, [1, 2_000_001]),
        ({"from_seconds": 8.0, "to_seconds": 8.5}, [1, 2, 2_000_001, 2_000_002]),
        ({"from_seconds": 20.0}, []),
    ],
    ids=str,
)
def test_tracks_by_label_time_and_length(
    shot: Shot, query: dict[str, Any], expected: list[int]
) -> None:
    assert [one["track_id"] for one in shot.rows("tracks", **query)] == expected


def test_tracks_of_one_video_page_by_page_and_as_a_stream(shot: Shot) -> None:
    path = f"/v1/jobs/{shot.job}/tracks"
    client = shot.served.client
    first = client.get(path, params={"limit": 3}).json()
    second = client.get(path, params={"limit": 3, "cursor": first["next"]}).json()
    stream = client.get(path, headers={"Accept": "application/x-ndjson"})

    lines = [json.loads(line) for line in stream.text.splitlines()]
    assert first["items"] + second["items"] == lines == shot.rows("tracks")
    assert second["next"] is None
    assert shot.rows("tracks", asset_id=shot.films[1]) == lines[2:]


@pytest.mark.parametrize(
    "query",
    [
        {"min_detections": "0"},
        {"track_id": "x"},
        {"track_id": str(2**63)},
        {"from_seconds": "nan"},
        {"include": "path"},
        {"limit": "0"},
        {"cursor": "nonsense"},
    ],
    ids=str,
)
def test_a_wrong_question_about_tracks_names_the_field(shot: Shot, query: dict[str, str]) -> None:
    answer = shot.served.client.get(f"/v1/jobs/{shot.job}/tracks", params=query)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == list(query)


def test_the_picture_of_a_track_is_cut_out_of_the_pack(shot: Shot) -> None:
    answer = shot.served.client.get(f"/v1/jobs/{shot.job}/tracks/1/crop")

    assert (answer.status_code, answer.content) == (200, CROP)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    headers = {"If-None-Match": answer.headers["etag"]}
    again = shot.served.client.get(f"/v1/jobs/{shot.job}/tracks/1/crop", headers=headers)
    assert again.status_code == 304


@pytest.mark.parametrize("track_id", ["2", "3", "0", str(10**30), "-1", "x"])
def test_a_track_without_a_picture_is_not_found(shot: Shot, track_id: str) -> None:
    answer = shot.served.client.get(f"/v1/jobs/{shot.job}/tracks/{track_id}/crop")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_counts_by_label_know_no_time(shot: Shot) -> None:
    one_video = {row["label"]: row for row in shot.rows("counts", asset_id=shot.films[0])}

    counts = [(row["label"], row["detections"], row["items"]) for row in shot.rows("counts")]
    assert counts == [("car", 161, 3), ("person", 99, 3)]
    assert (one_video["car"]["detections"], one_video["car"]["items"]) == (80, 1)
    assert [row["label"] for row in shot.rows("counts", label="person")] == ["person"]
    assert shot.rows("counts", asset_id=uuid4()) == []


def test_counts_by_bucket_come_in_order_of_time(shot: Shot) -> None:
    rows = shot.rows("counts", bucket_seconds=5, asset_id=shot.films[0], label="person")

    assert [row["bucket_start_seconds"] for row in rows] == [5.0, 10.0]
    assert [row["bucket_end_seconds"] for row in rows] == [10.0, 15.0]
    # From 6 s on: the film begins at 1 s.
    assert [row["detections"] for row in rows] == [40, 9]
    assert [row["frames"] for row in rows] == [50, 10]
    assert [row["tracks"] for row in rows] == [1, 1]
    assert {row["items"] for row in rows} == {None}


def test_what_is_in_pictures_is_in_no_bucket_but_not_lost(shot: Shot) -> None:
    rows = shot.rows("counts", bucket_seconds=60)

    timed = [row for row in rows if row["bucket_start_seconds"] is not None]
    rest = rows[len(timed) :]
    assert {row["label"]: row["detections"] for row in timed} == {"car": 160, "person": 98}
    assert [(row["label"], row["detections"]) for row in rest] == [("car", 1), ("person", 1)]


@pytest.mark.parametrize("bucket_seconds", ["0", "-1", "nan", "0.00001", "1e-300"])
def test_buckets_have_a_sensible_size(shot: Shot, bucket_seconds: str) -> None:
    path = f"/v1/jobs/{shot.job}/counts"
    answer = shot.served.client.get(path, params={"bucket_seconds": bucket_seconds})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["bucket_seconds"]
