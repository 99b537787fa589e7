"""Real videos come in by the same doors as pictures, and every moment of them can be looked at."""

from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from clips import FPS, HEIGHT, WIDTH, clip, gray_at
from films import Studio
from numpy.typing import NDArray
from pictures import picture
from PIL import Image
from serving import Served, serving, settings_in


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_an_uploaded_video_is_known_by_its_content(client: httpx.Client) -> None:
    headers = {"Content-Type": "text/plain", "X-Filename": "yard.jpg"}

    answer = client.post("/v1/assets", content=clip(), headers=headers)

    asset = answer.json()
    assert answer.status_code == 201
    assert (asset["kind"], asset["media_type"], asset["container"]) == ("video", "video/mp4", "mp4")
    assert (asset["width"], asset["height"], asset["codec"]) == (WIDTH, HEIGHT, "vp9")
    assert asset["duration_seconds"] == pytest.approx(12, abs=0.2)
    assert asset["average_fps"] == pytest.approx(FPS, abs=0.2)
    assert (asset["frame_count"], asset["start_seconds"]) == (12 * FPS, 0.0)
    assert client.get(f"/v1/assets/{asset['id']}").json() == asset
    assert client.post("/v1/assets", content=clip()).status_code == 200


def test_a_video_as_the_file_of_a_form(client: httpx.Client) -> None:
    answer = client.post("/v1/assets", files={"file": ("yard.mp4", clip())})

    assert (answer.status_code, answer.json()["kind"]) == (201, "video")


def test_a_form_brings_videos_and_pictures_together(served: Served) -> None:
    files = [("files", ("a.jpg", picture())), ("files", ("b.mp4", clip()))]
    form = {"pipeline": "demo", "priority": "1"}
    headers = {"Prefer": "wait=1"}

    answer = served.client.post("/v1/jobs", files=files, data=form, headers=headers)

    assert answer.status_code == 202
    assert answer.json()["progress"]["frames_total"] == 0
    items = served.client.get(f"{answer.headers['location']}/items").json()["items"]
    assert [item["kind"] for item in items] == ["image", "video"]


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (clip()[:200], {"video_corrupt", "no_video_stream"}),
        (clip()[:40] + bytes(5000), {"video_corrupt", "no_video_stream"}),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", {"unsupported_type"}),
    ],
    ids=["cut off in its head", "a head and nothing behind", "a playlist"],
)
def test_what_is_no_video_is_refused_by_code(served: Served, body: bytes, codes: set[str]) -> None:
    status, code = problem_of(served.client.post("/v1/assets", content=body))

    assert code in codes
    assert 400 <= status < 500
    assert list(served.engine.blobs.entries()) == []


def test_a_video_of_larger_frames_than_the_limit_is_refused(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path, max_image_pixels=WIDTH * HEIGHT - 1)) as served:
        answer = served.client.post("/v1/assets", content=clip())

    assert problem_of(answer) == (422, "video_too_large")


def test_a_video_longer_than_the_limit_is_refused(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path, max_video_seconds=5)) as served:
        answer = served.client.post("/v1/assets", content=clip())
        short = served.client.post("/v1/assets", content=clip(seconds=2))

    assert problem_of(answer) == (422, "video_too_long")
    assert short.status_code == 201


def analysed(served: Served) -> str:
    """Where the annotated clip is; what was found in it is a film's (see films.py)."""
    files = {"files": ("yard.mp4", clip())}
    job = served.client.post("/v1/jobs", files=files, data={"pipeline": "demo"}).json()["id"]
    Studio(served.engine).work()
    (item,) = served.client.get(f"/v1/jobs/{job}/items").json()["items"]
    return f"/v1/jobs/{job}/items/{item['asset_id']}/annotated"


def still(served: Served, address: str, **query: Any) -> NDArray[np.int64]:
    answer = served.client.get(address, params={"format": "png", **query})
    assert answer.status_code == 200, answer.text
    opened = Image.open(BytesIO(answer.content))
    assert (opened.format, opened.size) == ("PNG", (WIDTH, HEIGHT))
    return np.asarray(opened.convert("RGB")).astype(np.int64)


def test_a_still_shows_that_moment_and_what_was_found_in_it(served: Served) -> None:
    address = analysed(served)

    drawn = still(served, address, at_seconds=7.05, labels="false")
    plain = still(served, address, at_seconds=7.05, labels="false", boxes="false")

    assert plain.mean() == pytest.approx(gray_at(7.05), abs=3)
    # Frame 60 of the film is shown from 7 s on: the car is at x 30 to 50, y 10 to 30.
    changed = np.abs(drawn - plain).sum(axis=2) > 60
    assert changed[11:29, 28:33].any()
    assert changed[11:29, 48:52].any()
    assert not changed[:, :26].any()


def test_in_a_moment_in_which_nothing_was_found_nothing_is_drawn(served: Served) -> None:
    address = analysed(served)

    drawn = still(served, address, at_seconds=10.95)

    assert np.ptp(drawn) <= 3


def test_a_still_that_did_not_change_is_not_sent_again(served: Served) -> None:
    address = analysed(served)
    first = served.client.get(address, params={"at_seconds": 2})

    headers = {"If-None-Match": first.headers["etag"]}
    again = served.client.get(address, params={"at_seconds": 2}, headers=headers)
    other = served.client.get(address, params={"at_seconds": 3}, headers=headers)

    assert (first.status_code, first.headers["content-type"]) == (200, "image/jpeg")
    assert (again.status_code, other.status_code) == (304, 200)
