"""An annotated video is drawn once, by a worker, when somebody wants it; then it is a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from films import MP4, Studio, keep_film, submitted
from pictures import picture
from serving import Served, serving, settings_in
from work import work

from vision.domain.job import Lease
from vision.domain.states import UnitKind
from vision.domain.stored import UnitKey


@dataclass(frozen=True)
class Shown:
    """A finished job over one film, and where its annotated video is."""

    served: Served
    job: str
    address: str

    def get(self, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.served.client.get(self.address, headers=sent)

    def render(self) -> Lease:
        """The unit that draws, in a worker's hands."""
        lease = Studio(self.served.engine).take()
        assert lease is not None
        assert lease.kind is UnitKind.RENDER
        return lease

    def draw(self) -> None:
        Studio(self.served.engine).finish(self.render())


@pytest.fixture
def film(served: Served) -> Shown:
    return finished(served)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """One that is there already, for many ways to fetch it."""
    with serving(settings_in(tmp_path_factory.mktemp("drawn"))) as served:
        film = finished(served, name="the yard; 1.mov")
        film.get()
        film.draw()
        yield film


@pytest.fixture
def on_each_database(database_url: str, tmp_path: Path) -> Iterator[Served]:
    with serving(settings_in(tmp_path, database_url=database_url)) as running:
        yield running


def finished(served: Served, *, name: str = "yard.mp4") -> Shown:
    asset_id = keep_film(served.engine, name=name)
    job_id = submitted(served.client, asset_id)
    Studio(served.engine).work()
    return Shown(served, job_id, f"/v1/jobs/{job_id}/items/{asset_id}/annotated")


def test_the_first_who_asks_is_told_to_wait(on_each_database: Served) -> None:
    film = finished(on_each_database)
    first = film.get()
    lease = film.render()
    beaten = {UnitKey.of(lease): 25}
    film.served.engine.units.heartbeat([lease], lease_seconds=60, frames_done=beaten)
    running = film.get()
    Studio(film.served.engine).finish(lease)
    ready = film.get()

    assert (first.status_code, first.json()) == (202, {"state": "queued", "fraction": 0.0})
    assert int(first.headers["retry-after"]) >= 1
    assert first.headers["cache-control"] == "no-store"
    assert (running.status_code, running.json()) == (202, {"state": "running", "fraction": 0.25})
    assert (ready.status_code, ready.content) == (200, MP4)
    assert film.served.client.get(f"/v1/jobs/{film.job}").json()["state"] == "succeeded"


def test_who_prefers_to_wait_gets_the_video(film: Shown) -> None:
    film.get()
    lease = film.render()

    waited = film.get(Prefer="wait=1")
    Studio(film.served.engine).finish(lease)
    ready = film.get(Prefer="wait=30")

    assert (waited.status_code, waited.headers["preference-applied"]) == (202, "wait=1")
    assert (ready.status_code, ready.content) == (200, MP4)


def test_a_drawn_video_is_shown_in_place_under_a_safe_name(drawn: Shown) -> None:
    answer = drawn.get()

    assert answer.content == MP4
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(MP4))
    assert answer.headers["content-disposition"].startswith(
        'inline; filename="the yard_ 1.annotated.mp4"'
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-", MP4),
        ("bytes=0-1", MP4[:2]),
        ("bytes=100-199", MP4[100:200]),
        ("bytes=-10", MP4[-10:]),
        (f"bytes=5-{10**12}", MP4[5:]),
    ],
)
def test_players_fetch_a_video_in_ranges(drawn: Shown, asked: str, part: bytes) -> None:
    answer = drawn.get(Range=asked)

    assert (answer.status_code, answer.content) == (206, part)
    assert answer.headers["content-length"] == str(len(part))
    assert answer.headers["content-range"].startswith("bytes ")
    assert answer.headers["content-range"].endswith(f"/{len(MP4)}")


def test_a_range_past_the_end_of_a_video_is_refused(drawn: Shown) -> None:
    answer = drawn.get(Range=f"bytes={len(MP4)}-")

    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")


def test_a_video_that_did_not_change_is_not_sent_again(drawn: Shown) -> None:
    etag = drawn.get().headers["etag"]

    assert drawn.get(If_None_Match=etag).status_code == 304
    assert drawn.get(Range="bytes=0-1", If_Range=etag).status_code == 206
    assert drawn.get(Range="bytes=0-1", If_Range='"another"').status_code == 200
    head = drawn.served.client.head(drawn.address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(MP4))


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"format": "png"}, ["format"]),
        ({"boxes": "false", "masks": "true"}, ["boxes", "masks"]),
        ({"at_seconds": "0.9"}, ["at_seconds"]),
        ({"at_seconds": "11.5"}, ["at_seconds"]),
        ({"at_seconds": "nan"}, ["at_seconds"]),
        ({"at_second": "2"}, ["at_second"]),
    ],
    ids=str,
)
def test_what_cannot_be_drawn_is_named(
    drawn: Shown, query: dict[str, Any], fields: list[str]
) -> None:
    answer = drawn.served.client.get(drawn.address, params=query)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == fields


def test_a_moment_outside_is_answered_with_the_range(drawn: Shown) -> None:
    answer = drawn.served.client.get(drawn.address, params={"at_seconds": 12})

    assert "from 1 to 11 seconds" in answer.json()["errors"][0]["detail"]


def test_a_video_is_not_sent_to_who_wants_a_picture(drawn: Shown) -> None:
    assert drawn.get(Accept="image/png").status_code == 406
    assert drawn.get(Accept="video/*;q=0.9, */*;q=0.1").status_code == 200


def test_an_image_has_no_moments(served: Served) -> None:
    form = {"files": ("a.jpg", picture())}
    job = served.client.post("/v1/jobs", files=form, data={"pipeline": "demo"}).json()
    work(served.engine)
    (item,) = served.client.get(f"/v1/jobs/{job['id']}/items").json()["items"]
    address = f"/v1/jobs/{job['id']}/items/{item['asset_id']}/annotated"

    moment = served.client.get(address, params={"at_seconds": 0})
    worker = served.client.post(address)

    assert moment.status_code == 422
    assert [error["field"] for error in moment.json()["errors"]] == ["at_seconds"]
    assert (worker.status_code, worker.json()["code"]) == (409, "conflict")


def test_without_results_no_video_is_drawn(served: Served) -> None:
    asset_id = keep_film(served.engine)
    job_id = submitted(served.client, asset_id)
    address = f"/v1/jobs/{job_id}/items/{asset_id}/annotated"

    answers = [served.client.get(address), served.client.post(address)]
    still = served.client.get(address, params={"at_seconds": 2})

    assert [answer.status_code for answer in (*answers, still)] == [409, 409, 409]


def test_a_failed_drawing_says_why_until_somebody_asks_again(film: Shown) -> None:
    film.get()
    film.served.engine.units.fail(film.render(), "video_corrupt", "no frame", retryable=False)

    failed = [film.get(), film.get()]
    again = film.served.client.post(film.address)
    film.draw()

    assert [(one.status_code, one.json()["code"]) for one in failed] == [(409, "video_corrupt")] * 2
    assert "no frame" in failed[0].json()["detail"]
    assert (again.status_code, again.json()["state"]) == (202, "queued")
    assert film.get().status_code == 200
    assert film.served.client.get(f"/v1/jobs/{film.job}").json()["state"] == "succeeded"


def test_a_video_can_be_drawn_before_it_is_needed(film: Shown) -> None:
    asked = film.served.client.post(film.address)
    film.draw()
    there = film.served.client.post(film.address)

    assert (asked.status_code, asked.json()["state"]) == (202, "queued")
    assert (there.status_code, there.json()) == (200, {"state": "done", "fraction": 1.0})
    assert film.get().content == MP4


def test_erasing_a_video_erases_what_was_made_of_it(on_each_database: Served) -> None:
    film = finished(on_each_database)
    film.get()
    film.draw()
    asset_id = film.address.split("/")[-2]

    film.served.client.delete(f"/v1/assets/{asset_id}")

    assert film.get().status_code == 404
    assert film.served.client.get(f"/v1/jobs/{film.job}/tracks/1/crop").status_code == 404
    assert film.served.client.get(f"/v1/jobs/{film.job}/tracks").json()["items"] == []
    assert list(film.served.engine.blobs.entries()) == []


def test_new_tracks_make_the_drawn_video_old(film: Shown) -> None:
    film.get()
    film.draw()
    before = film.get().headers["etag"]

    film.served.client.post(f"/v1/jobs/{film.job}/track", json={"algorithm": "ocsort"})
    Studio(film.served.engine).work()
    old = film.get()
    film.draw()

    assert old.status_code == 202
    assert film.get().headers["etag"] != before
