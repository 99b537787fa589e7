"""Jobs seen from outside: progress, items, cancel, retry, delete, lists."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pictures import picture, turned_picture
from serving import Served
from work import broken, two_things, work

NO_VIDEO = dict.fromkeys(("frames_done", "frames_total", "seconds_done", "seconds_total"))


def submitted(client: httpx.Client, *, files: int = 1, **fields: Any) -> Any:
    """A job over that many pictures of its own."""
    uploads = [("files", (f"{seed}.jpg", picture(seed=seed))) for seed in range(files)]
    return client.post("/v1/jobs", files=uploads, data={"pipeline": "demo", **fields}).json()


def shown(client: httpx.Client, job: Any) -> Any:
    return client.get(f"/v1/jobs/{job['id']}").json()


def test_a_finished_job_says_when_and_by_which_weights(served: Served) -> None:
    job = submitted(served.client, files=2)

    work(served.engine)

    ended = shown(served.client, job)
    assert ended["state"] == "succeeded"
    assert ended["progress"] == NO_VIDEO | {
        "done": 2,
        "total": 2,
        "fraction": 1.0,
        "eta_seconds": 0.0,
    }
    assert job["created_at"] <= ended["started_at"] <= ended["finished_at"]
    assert ended["models"] == [
        {
            "stage": "detect",
            "name": "demo_maskrcnn",
            "weights_sha256": "ab" * 32,
            "parameters": {"min_score": 0.5},
        }
    ]
    assert "retry-after" not in served.client.get(f"/v1/jobs/{job['id']}").headers


def test_one_bad_item_makes_a_job_partial_and_says_why(served: Served) -> None:
    job = submitted(served.client, files=2)

    work(served.engine, lambda item: broken(item) if item.index == 0 else two_things(item))

    ended = shown(served.client, job)
    assert (ended["state"], ended["items_failed"], ended["progress"]["done"]) == ("partial", 1, 2)
    first, second = served.client.get(f"/v1/jobs/{job['id']}/items").json()["items"]
    assert (first["state"], first["error"]["code"]) == ("failed", "image_truncated")
    assert (second["state"], second["error"]) == ("done", None)
    assert (second["detections"], second["counts"]) == (2, {"car": 1, "person": 1})
    assert (second["width"], second["height"], second["media_type"]) == (64, 48, "image/jpeg")
    address = f"/v1/jobs/{job['id']}/items/{second['asset_id']}"
    assert served.client.get(address).json() == second


def test_an_item_has_the_size_of_the_upright_picture(served: Served) -> None:
    form = {"files": ("a.jpg", turned_picture(80, 40))}
    job = served.client.post("/v1/jobs", files=form, data={"pipeline": "demo"}).json()

    (item,) = served.client.get(f"/v1/jobs/{job['id']}/items").json()["items"]

    assert (item["width"], item["height"], item["orientation"]) == (40, 80, 6)


def test_a_cancelled_job_gets_no_more_results(served: Served) -> None:
    job = submitted(served.client)

    cancelled = served.client.post(f"/v1/jobs/{job['id']}/cancel")

    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert work(served.engine) == 0
    again = served.client.post(f"/v1/jobs/{job['id']}/cancel")
    assert (again.status_code, again.json()["state"]) == (200, "cancelled")


def test_retry_runs_what_failed_and_nothing_else(served: Served) -> None:
    job = submitted(served.client)
    (lease,) = served.engine.units.claim("test", lease_seconds=60)
    served.engine.units.fail(lease, "weights_missing", "no weights", retryable=False)
    assert shown(served.client, job)["state"] == "failed"

    retried = served.client.post(f"/v1/jobs/{job['id']}/retry")
    work(served.engine)

    assert retried.status_code == 202
    assert shown(served.client, job)["state"] == "succeeded"
    refused = served.client.post(f"/v1/jobs/{job['id']}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_a_deleted_job_is_gone_and_its_assets_stay(served: Served) -> None:
    job = submitted(served.client)
    work(served.engine)

    assert served.client.delete(f"/v1/jobs/{job['id']}").status_code == 204

    for path in ("", "/items", "/detections", "/counts", "/export?format=csv"):
        assert served.client.get(f"/v1/jobs/{job['id']}{path}").status_code == 404
    assert served.client.get("/v1/detections").json()["items"] == []
    assert len(served.client.get("/v1/assets").json()["items"]) == 1


def test_erasing_an_asset_erases_what_was_found_in_it(served: Served) -> None:
    job = submitted(served.client, files=2)
    work(served.engine)
    first, second = served.client.get(f"/v1/jobs/{job['id']}/items").json()["items"]

    served.client.delete(f"/v1/assets/{first['asset_id']}")

    found = served.client.get(f"/v1/jobs/{job['id']}/detections").json()["items"]
    assert {one["asset_id"] for one in found} == {second["asset_id"]}


def test_jobs_are_listed_by_state_and_tag(served: Served) -> None:
    done = submitted(served.client, tags="north")
    work(served.engine)
    waiting = submitted(served.client)

    assert ids(served.client, {}) == [waiting["id"], done["id"]]
    assert ids(served.client, {"state": "queued"}) == [waiting["id"]]
    assert ids(served.client, {"tag": "north"}) == [done["id"]]
    assert ids(served.client, {"tag": "south"}) == []


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_every_list_can_be_walked_to_its_end(served: Served, limit: int) -> None:
    jobs = [submitted(served.client, files=3)["id"] for _ in range(3)]

    assert list(walked(served.client, "/v1/jobs", limit)) == jobs[::-1]
    items = served.client.get(f"/v1/jobs/{jobs[0]}/items").json()["items"]
    found = walked(served.client, f"/v1/jobs/{jobs[0]}/items", limit, key="asset_id")
    assert list(found) == [item["asset_id"] for item in items]


def ids(client: httpx.Client, query: dict[str, str]) -> list[str]:
    return [job["id"] for job in client.get("/v1/jobs", params=query).json()["items"]]


def walked(client: httpx.Client, path: str, limit: int, *, key: str = "id") -> Iterator[str]:
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = client.get(path, params=query).json()
        assert len(page["items"]) <= limit
        yield from (item[key] for item in page["items"])
        if page["next"] is None:
            return
        query["cursor"] = page["next"]
