"""One picture all the way: uploaded, worked on by the product's own loop and model, asked about."""

from io import BytesIO
from pathlib import Path

from PIL import Image
from serving import Served

from vision.engine.station import Pace
from vision.engine.work_loop import work
from vision.engine.worker_parts import open_station

YARD = sorted((Path(__file__).parents[2] / "samples" / "images").glob("*.jpg"))[0]


def test_from_picture_to_answers(served: Served) -> None:
    client = served.client
    with YARD.open("rb") as file:
        form = {"files": (YARD.name, file)}
        job = client.post("/v1/jobs", files=form, data={"pipeline": "demo"}).json()
    with open_station(served.engine, served.settings, owner="test") as station:
        work(station, Pace())

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
