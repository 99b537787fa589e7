"""A job watched while it runs: nothing comes twice, and no end is missed."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import fastapi.routing
import httpx
import pytest
from listening import Event, heard, listening
from pictures import picture
from serving import Served, eventually, serving, settings_in
from work import work

WATCHERS = 60
"""More than the server has threads."""


def submitted(client: httpx.Client, *, files: int = 1) -> str:
    """Id of a job that waits for a worker."""
    uploads = [("files", (f"{seed}.jpg", picture(seed=seed))) for seed in range(files)]
    answer = client.post("/v1/jobs", files=uploads, data={"pipeline": "demo"})
    job_id: str = answer.json()["id"]
    return job_id


@pytest.fixture
def on_each_database(database_url: str, tmp_path: Path) -> Iterator[Served]:
    with serving(settings_in(tmp_path, database_url=database_url)) as running:
        yield running


def kinds(events: list[Event]) -> list[str]:
    return [event.event for event in events]


def test_a_watcher_sees_a_job_from_the_queue_to_its_end(on_each_database: Served) -> None:
    client = on_each_database.client
    job_id = submitted(client, files=2)

    with listening(client, job_id) as events:
        first, second = next(events), next(events)
        work(on_each_database.engine)
        rest = list(events)

    assert (first.event, first.data["done"], first.data["total"]) == ("progress", 0, 2)
    assert (second.event, second.data["state"]) == ("state", "queued")
    assert rest[-1].event == "state"
    assert rest[-1].data == client.get(f"/v1/jobs/{job_id}").json()
    assert rest[-1].data["state"] == "succeeded"
    (last_progress,) = [one for one in rest if one.event == "progress"]
    assert last_progress.data == rest[-1].data["progress"]
    ids = [event.id for event in (first, second, *rest)]
    assert len(set(ids)) == len(ids)


def test_who_comes_back_hears_only_what_is_new(served: Served) -> None:
    job_id = submitted(served.client)
    with listening(served.client, job_id) as events:
        last = [next(events), next(events)][-1]

    work(served.engine)
    news = heard(served.client, job_id, after=last.id)

    assert kinds(news) == ["progress", "state"]
    assert news[-1].data["state"] == "succeeded"


def test_an_end_that_was_not_received_comes_again(served: Served) -> None:
    job_id = submitted(served.client)
    work(served.engine)
    progress, state = heard(served.client, job_id)

    again = heard(served.client, job_id, after=progress.id)

    assert [event.data for event in again] == [state.data]


def test_who_knows_the_end_is_told_not_to_come_back(served: Served) -> None:
    job_id = submitted(served.client)
    work(served.engine)
    last = heard(served.client, job_id)[-1]

    headers = {"Last-Event-ID": last.id}
    answer = served.client.get(f"/v1/jobs/{job_id}/events", headers=headers)

    assert (answer.status_code, answer.content) == (204, b"")


def test_the_end_of_an_earlier_run_is_not_taken_for_that_of_a_later_one(served: Served) -> None:
    job_id = submitted(served.client)
    (lease,) = served.engine.units.claim("test", lease_seconds=60)
    served.engine.units.fail(lease, "weights_missing", "no weights", retryable=False)
    failed = heard(served.client, job_id)[-1]

    served.client.post(f"/v1/jobs/{job_id}/retry")
    with listening(served.client, job_id, after=failed.id) as events:
        waiting = next(one for one in events if one.event == "state")
        work(served.engine)
        last = list(events)[-1]

    assert [event.data["state"] for event in (failed, waiting, last)] == [
        "failed",
        "queued",
        "succeeded",
    ]


@pytest.mark.parametrize("event_id", ["", "-", "x", "1", "é".encode(), "0" * 12 + "-" + "0" * 12])
def test_an_id_that_is_not_ours_is_as_good_as_none(served: Served, event_id: Any) -> None:
    job_id = submitted(served.client)
    work(served.engine)

    assert kinds(heard(served.client, job_id, after=event_id)) == ["progress", "state"]


def test_a_stream_is_neither_kept_nor_held_up(served: Served) -> None:
    job_id = submitted(served.client)
    work(served.engine)

    answer = served.client.get(f"/v1/jobs/{job_id}/events")

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["x-accel-buffering"] == "no"


def test_a_job_that_is_not_there_is_a_problem_not_a_stream(served: Served) -> None:
    answer = served.client.get(f"/v1/jobs/{uuid4()}/events")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_quiet_stream_says_that_it_lives(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastapi.routing, "_PING_INTERVAL", 0.1)
    job_id = submitted(served.client)

    with listening(served.client, job_id) as events:
        third = [next(events) for _ in range(3)][-1]

    assert third.comment == "ping"


def test_a_watcher_that_left_is_forgotten(served: Served) -> None:
    job_id = submitted(served.client)
    before = ended_streams(served)
    with listening(served.client, job_id) as events:
        next(events)

    # A request is counted when it has ended; the job hasn't.
    eventually(lambda: ended_streams(served) > before)


def ended_streams(served: Served) -> float:
    name = 'vision_http_requests_total{method="GET",route="/v1/jobs/{job_id}/events"'
    lines = served.client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_a_deleted_job_ends_its_streams(served: Served) -> None:
    job_id = submitted(served.client)

    with listening(served.client, job_id) as events:
        next(events)
        served.client.delete(f"/v1/jobs/{job_id}")
        rest = list(events)

    assert kinds(rest) == ["state"]
    assert served.client.get(f"/v1/jobs/{job_id}/events").status_code == 404


def test_many_watchers_hold_up_nobody_and_all_see_the_end(served: Served) -> None:
    job_id = submitted(served.client)
    request = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    sockets = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(WATCHERS)]
    for each in sockets:
        each.sendall(request.encode())

    another = submitted(served.client)
    work(served.engine)
    received = [everything(each) for each in sockets]

    assert served.client.get(f"/v1/jobs/{another}").json()["state"] == "succeeded"
    assert sum(b'"state":"succeeded"' in each for each in received) == WATCHERS


def everything(connection: socket.socket) -> bytes:
    with connection:
        connection.settimeout(60)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_server_that_ends_sends_its_watchers_away(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path)) as served:
        job_id = submitted(served.client)
        request = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: x\r\n\r\n"
        watcher = socket.create_connection(("127.0.0.1", served.port))
        watcher.sendall(request.encode())
        assert b"event: progress" in watcher.recv(65536) + watcher.recv(65536)

    # The context has waited for the server's thread; else this would wait for the job.
    assert b"succeeded" not in everything(watcher)
