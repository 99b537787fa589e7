"""One picture and one video all the way: uploaded, worked on by the product's own loop and model,
asked about."""

from fractions import Fraction
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import av
import numpy as np
import pytest
from listening import heard
from PIL import Image
from serving import Served

from vision.domain.image import ImageSize
from vision.engine.station import Pace
from vision.engine.work_loop import work
from vision.engine.worker_parts import open_station
from vision.media.video_writer import VideoWriter

YARD = sorted((Path(__file__).parents[2] / "samples" / "images").glob("*.jpg"))[0]
FPS = 5
FRAMES = 10
PAN = 4
"""Pixels by which the camera turns from one frame to the next."""


def work_on(served: Served) -> None:
    """One worker until nothing is left to do."""
    with open_station(served.engine, served.settings, owner="test") as station:
        work(station, Pace())


def test_from_picture_to_answers(served: Served) -> None:
    client = served.client
    with YARD.open("rb") as file:
        form = {"files": (YARD.name, file)}
        job = client.post("/v1/jobs", files=form, data={"pipeline": "demo"}).json()
    work_on(served)

    ended = client.get(f"/v1/jobs/{job['id']}").json()
    (item,) = client.get(f"/v1/jobs/{job['id']}/items").json()["items"]
    found = client.get(f"/v1/jobs/{job['id']}/detections?include=mask").json()["items"]
    drawn = client.get(f"/v1/jobs/{job['id']}/items/{item['asset_id']}/annotated")

    assert ended["state"] == "succeeded"
    card = client.get("/v1/models/demo_maskrcnn").json()
    assert ended["models"][0]["weights_sha256"] == card["weights"]["sha256"]
    assert len(found) == item["detections"] > 0
    assert {one["label"] for one in found} <= set(card["labels"])
    assert all(one["mask"]["size"] == [item["height"], item["width"]] for one in found)
    assert Image.open(BytesIO(drawn.content)).size == (item["width"], item["height"])


@pytest.fixture
def panned(tmp_path: Path) -> bytes:
    """An MP4 of a camera that turns in the yard."""
    yard = np.asarray(Image.open(YARD).convert("RGB"))
    height, width = (yard.shape[0] & ~1, (yard.shape[1] - FRAMES * PAN) & ~1)
    path, size = tmp_path / "panned.mp4", ImageSize(width=width, height=height)
    with VideoWriter(path, size, codec="vp9", time_base=Fraction(1, FPS)) as writer:
        for index in range(FRAMES):
            left = index * PAN
            writer.write(yard[:height, left : left + width].copy(), index)
    return path.read_bytes()


def test_from_video_to_answers(served: Served, panned: bytes) -> None:
    client = served.client
    form = {"files": ("yard.mp4", panned)}
    job = client.post("/v1/jobs", files=form, data={"pipeline": "demo"}).json()
    worker = Thread(target=work_on, args=(served,))
    worker.start()
    events = heard(client, job["id"])
    worker.join()

    (item,) = client.get(f"/v1/jobs/{job['id']}/items").json()["items"]
    assert (events[-1].event, events[-1].data["state"]) == ("state", "succeeded")
    assert (item["state"], item["frames_decoded"], item["frames_declared"]) == ("done", 10, 10)
    _require_moving_objects(served, job["id"])
    address = f"/v1/jobs/{job['id']}/items/{item['asset_id']}/annotated"
    still = Image.open(BytesIO(client.get(address, params={"at_seconds": 1}).content))
    assert still.size == (item["width"], item["height"])
    _require_playable(served, address, item)
    _require_other_tracks(served, job["id"], item)


def _require_moving_objects(served: Served, job_id: str) -> None:
    """Of tracks that last, the boxes go left as the camera turns right."""
    tracks = served.client.get(f"/v1/jobs/{job_id}/tracks?min_detections=8").json()["items"]
    assert tracks
    for track in tracks:
        (start, first_x, _), *_, (end, last_x, _) = track["path"]
        pixels = PAN * FPS * (end - start)
        assert first_x - last_x == pytest.approx(pixels, abs=12)
        query = {"track_id": track["track_id"], "from_seconds": 0.5, "to_seconds": 1.1}
        rows = served.client.get(f"/v1/jobs/{job_id}/detections", params=query).json()["items"]
        times = [row["pts_seconds"] for row in rows]
        assert times == sorted(times)
        assert set(times) <= {0.6, 0.8, 1.0}
        crop = served.client.get(track["best"]["crop"])
        assert Image.open(BytesIO(crop.content)).format == "JPEG"


def _require_playable(served: Served, address: str, item: Any) -> None:
    """Asked for as a browser does: nothing yet, then in ranges."""
    asked = served.client.get(address, headers={"Range": "bytes=0-"})
    assert asked.status_code == 202
    work_on(served)
    whole = served.client.get(address, headers={"Range": "bytes=0-"})
    half = len(whole.content) // 2
    parts = [
        served.client.get(address, headers={"Range": part}).content
        for part in (f"bytes=0-{half - 1}", f"bytes={half}-")
    ]

    assert (whole.status_code, whole.headers["content-type"]) == (206, "video/mp4")
    assert b"".join(parts) == whole.content
    with av.open(BytesIO(whole.content)) as container:
        seconds = [frame.time for frame in container.decode(video=0)]
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (item["width"], item["height"])
    assert seconds == pytest.approx([index / FPS for index in range(FRAMES)])


def _require_other_tracks(served: Served, job_id: str, item: Any) -> None:
    """The same objects by another algorithm, and no frame decoded for it."""
    answer = served.client.post(f"/v1/jobs/{job_id}/track", json={"algorithm": "sort"})
    work_on(served)

    (after,) = served.client.get(f"/v1/jobs/{job_id}/items").json()["items"]
    assert answer.status_code == 202
    assert after["track_parameters"]["algorithm"] == "sort"
    assert (after["state"], after["detections"]) == ("done", item["detections"])
    assert served.client.get(f"/v1/jobs/{job_id}/tracks").json()["items"]
