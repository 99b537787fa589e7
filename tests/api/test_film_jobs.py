"""Jobs over videos while they run, when they end badly, and when objects are followed anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from films import FRAMES, Studio, keep_film, submitted
from listening import listening
from pictures import picture
from serving import Served, serving, settings_in
from work import work

from vision.domain.states import UnitKind
from vision.domain.stored import UnitKey


@pytest.fixture
def on_each_database(database_url: str, tmp_path: Path) -> Iterator[Served]:
    with serving(settings_in(tmp_path, database_url=database_url)) as running:
        yield running


def progress_of(client: httpx.Client, job_id: str) -> Any:
    return client.get(f"/v1/jobs/{job_id}").json()["progress"]


def test_progress_moves_inside_of_one_video(on_each_database: Served) -> None:
    client, engine = on_each_database.client, on_each_database.engine
    studio = Studio(engine)
    job_id = submitted(client, keep_film(engine))
    seen = [progress_of(client, job_id)]

    chunk = studio.work(until=UnitKind.CHUNK)
    assert chunk is not None
    seen.append(progress_of(client, job_id))
    engine.units.heartbeat([chunk], lease_seconds=60, frames_done={UnitKey.of(chunk): 20})
    seen.append(progress_of(client, job_id))
    studio.finish(chunk)
    seen.append(progress_of(client, job_id))
    studio.work()
    seen.append(progress_of(client, job_id))

    assert [one["frames_done"] for one in seen] == [0, 0, 20, 50, 100]
    assert [one["frames_total"] for one in seen] == [0, *[FRAMES] * 4]
    assert [one["done"] for one in seen] == [0, 0, 0, 0, 1]
    fractions = [one["fraction"] for one in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0 < fractions[2] < fractions[3] < fractions[4] == 1
    assert [one["eta_seconds"] is None for one in seen[:3]] == [True, True, False]
    assert (seen[-1]["eta_seconds"], seen[-1]["seconds_done"]) == (0.0, 10.0)


def test_a_watcher_hears_of_frames(served: Served) -> None:
    studio = Studio(served.engine)
    job_id = submitted(served.client, keep_film(served.engine))
    chunk = studio.work(until=UnitKind.CHUNK)
    assert chunk is not None

    with listening(served.client, job_id) as events:
        before = next(one for one in events if one.event == "progress")
        beaten = {UnitKey.of(chunk): 20}
        served.engine.units.heartbeat([chunk], lease_seconds=60, frames_done=beaten)
        after = next(one for one in events if one.event == "progress")
        studio.finish(chunk)
        studio.work()
        last = list(events)[-1]

    assert (before.data["frames_done"], after.data["frames_done"]) == (0, 20)
    assert (last.event, last.data["state"]) == ("state", "succeeded")


def test_a_damaged_video_is_partial_and_says_both_numbers(on_each_database: Served) -> None:
    client, engine = on_each_database.client, on_each_database.engine
    job_id = submitted(client, keep_film(engine))

    Studio(engine, damage="a packet is damaged").work()

    (item,) = client.get(f"/v1/jobs/{job_id}/items").json()["items"]
    assert (item["state"], item["error"]) == ("partial", None)
    assert (item["frames_decoded"], item["frames_declared"]) == (FRAMES - 10, FRAMES)
    warning = " ".join(item["warnings"])
    assert str(FRAMES - 10) in warning
    assert str(FRAMES) in warning
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert (job["state"], job["progress"]["fraction"]) == ("partial", 1.0)
    assert client.get(f"/v1/jobs/{job_id}/tracks").json()["items"]


def test_a_finished_job_is_tracked_again_without_a_model(on_each_database: Served) -> None:
    client, engine = on_each_database.client, on_each_database.engine
    job_id = submitted(client, keep_film(engine))
    studio = Studio(engine)
    studio.work()
    before = client.get(f"/v1/jobs/{job_id}/detections?limit=1000").json()["items"]

    answer = client.post(f"/v1/jobs/{job_id}/track", json={"algorithm": "sort"})
    running = client.post(f"/v1/jobs/{job_id}/track", json={"algorithm": "sort"})
    lease = studio.take()
    assert lease is not None
    studio.finish(lease)
    again = studio.take()

    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{job_id}"
    assert answer.json()["pipeline"]["track"]["algorithm"] == "sort"
    assert (running.status_code, running.json()["code"]) == (409, "conflict")
    assert (lease.kind, again) == (UnitKind.TRACK, None)
    (item,) = client.get(f"/v1/jobs/{job_id}/items").json()["items"]
    assert item["track_parameters"]["algorithm"] == "sort"
    after = client.get(f"/v1/jobs/{job_id}/detections?limit=1000").json()["items"]
    assert [row["box"] for row in after] == [row["box"] for row in before]
    assert client.get(f"/v1/jobs/{job_id}").json()["state"] == "succeeded"


def test_how_long_a_later_run_takes_is_not_guessed_from_the_first(served: Served) -> None:
    studio = Studio(served.engine)
    job_id = submitted(served.client, keep_film(served.engine))
    first, second = (studio.work(until=UnitKind.CHUNK), studio.take())
    assert first is not None
    assert second is not None
    before = progress_of(served.client, job_id)
    studio.finish(first)
    served.engine.units.fail(second, "video_corrupt", "no frame", retryable=False)
    studio.work()

    served.client.post(f"/v1/jobs/{job_id}/retry")
    studio.work(until=UnitKind.CHUNK)
    again = progress_of(served.client, job_id)

    assert (before["eta_seconds"], before["frames_done"]) == (None, 0)
    assert 0 < again["fraction"] < 1
    assert again["eta_seconds"] is None


def test_without_a_body_objects_are_followed_by_the_defaults(served: Served) -> None:
    job_id = submitted(served.client, keep_film(served.engine))
    Studio(served.engine).work()

    answer = served.client.post(f"/v1/jobs/{job_id}/track")

    assert answer.status_code == 202
    assert answer.json()["pipeline"]["track"] == {"algorithm": "bytetrack"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"algorithm": "magic"}, "algorithm"),
        ({"algoritm": "sort"}, "algoritm"),
        ({"lost_track_seconds": -1}, "lost_track_seconds"),
        ({"minimum_iou_threshold": 2}, "minimum_iou_threshold"),
        ({"algorithm": "sort", "high_conf_det_threshold": 0.5}, "high_conf_det_threshold"),
    ],
    ids=str,
)
def test_a_wrong_way_to_follow_names_the_field(
    served: Served, body: dict[str, Any], field: str
) -> None:
    answer = served.client.post(f"/v1/jobs/{uuid4()}/track", json=body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'"sort"', b'{"algorithm":"sort","algorithm":"sort"}']
)
def test_a_way_to_follow_that_is_no_object_is_refused(served: Served, body: bytes) -> None:
    assert served.client.post(f"/v1/jobs/{uuid4()}/track", content=body).status_code == 422


def test_a_job_without_videos_has_nothing_to_follow(served: Served) -> None:
    form = {"files": ("a.jpg", picture())}
    job = served.client.post("/v1/jobs", files=form, data={"pipeline": "demo"}).json()
    work(served.engine)

    answer = served.client.post(f"/v1/jobs/{job['id']}/track", json={})

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
