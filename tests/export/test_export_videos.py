"""Videos in the formats that images have too."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from export_videos import (
    ANALYSED,
    BITMAP,
    DOG,
    ITEMS,
    PERSON,
    ROWS,
    SECONDS,
    STREET,
    YARD,
    OnlyWritable,
    exported,
    findings,
    stored,
)
from pycocotools.coco import COCO

from vision.domain.stored import StoredDetection
from vision.pipelines.export.findings import JobFindings
from vision.pipelines.export.formats import export_format


@pytest.fixture
def coco(tmp_path: Path) -> COCO:
    (tmp_path / "instances.json").write_bytes(exported("coco"))
    return COCO(str(tmp_path / "instances.json"))


def test_every_analysed_frame_is_an_image_for_pycocotools(coco: COCO) -> None:
    frames = [image for image in coco.dataset["images"] if image.get("video_id") == STREET + 1]

    assert [frame["frame_index"] for frame in frames] == list(ANALYSED)
    assert [frame["pts_seconds"] for frame in frames] == list(SECONDS)
    assert frames[1]["file_name"] == "street_cam_000003.jpg"
    assert [len(coco.getAnnIds(imgIds=[frame["id"]])) for frame in frames] == [1, 2, 0, 2, 1]
    assert len({image["id"] for image in coco.dataset["images"]}) == 1 + 2 * len(ANALYSED)
    assert {one["image_id"] for one in coco.anns.values()} <= set(coco.imgs)


def test_coco_knows_videos_tracks_and_images_apart(coco: COCO) -> None:
    videos = {video["id"]: video for video in coco.dataset["videos"]}
    (still,) = [image for image in coco.dataset["images"] if "video_id" not in image]
    tracks = [annotation.get("track_id") for annotation in coco.anns.values()]

    assert sorted(videos) == [2, 3, 4]
    assert videos[2]["frame_count"] == 20
    assert videos[2]["track_parameters"] == {"algorithm": "bytetrack"}
    assert (still["id"], still["file_name"]) == (1, "still.jpg")
    assert tracks == [None, PERSON, PERSON, None, PERSON, DOG, DOG]
    assert coco.dataset["info"]["failed"][0]["file_name"] == "torn.mp4"


def test_masks_of_frames_come_back(coco: COCO) -> None:
    (car,) = [one for one in coco.anns.values() if one["segmentation"]]

    assert np.array_equal(coco.annToMask(car), BITMAP)


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_tables_say_frame_time_and_track_of_every_detection(name: str) -> None:
    data = exported(name)

    if name == "csv":
        rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
        columns = [[row["frame_index"], row["pts_seconds"], row["track_id"]] for row in rows]
        read = [[json.loads(cell) if cell else None for cell in row] for row in columns]
    else:
        table = pq.read_table(io.BytesIO(data)).to_pylist()
        read = [[row["frame_index"], row["pts_seconds"], row["track_id"]] for row in table]

    assert read == [[row.frame_index, row.pts_seconds, row.track_id] for row in ROWS]


def test_parquet_s_metadata_says_how_complete_a_video_is() -> None:
    schema = pq.read_schema(io.BytesIO(exported("parquet")))

    street = json.loads(schema.metadata[b"vision"])["items"][STREET]

    assert (street["frames_done"], street["frames_declared"]) == (5, 7)
    assert street["track_parameters"] == {"algorithm": "bytetrack"}


def test_a_video_is_a_json_line_then_one_per_frame_then_one_per_track() -> None:
    lines = [json.loads(line) for line in exported("jsonl").splitlines()]
    still, video, *rest = lines
    frames, tracks, torn = rest[:5], rest[5:7], rest[7]

    assert still["detections"][0]["label"] == "car"
    assert video["detections"] is None
    assert (video["state"], video["frames_done"], video["frames_declared"]) == ("partial", 5, 7)
    assert video["media"]["codec"] == "h264"
    assert [frame["pts_seconds"] for frame in frames] == list(SECONDS)
    assert [[one["track_id"] for one in frame["detections"]] for frame in frames] == [
        [PERSON],
        [PERSON, None],
        [],
        [PERSON, DOG],
        [DOG],
    ]
    assert [(track["track_id"], track["count"]) for track in tracks] == [(PERSON, 3), (DOG, 2)]
    assert torn["error"]["code"] == "video_corrupt"
    assert len(lines) == 1 + (1 + 5 + 2) + 1 + (1 + 5)


def test_a_frame_stored_while_the_export_runs_is_not_lost() -> None:
    late = JobFindings(
        findings().job, ITEMS, iter(ROWS), frame_times=lambda _: findings().frame_times(ITEMS[0])
    )

    pictures = [picture for picture in late.pictures() if picture.item.index == STREET]

    assert [picture.frame_index for picture in pictures] == [0, 3, 9, 12]
    assert [len(picture.detections) for picture in pictures] == [1, 2, 2, 1]


def test_detections_in_another_order_are_refused() -> None:
    with pytest.raises(ValueError, match="item 1 are not in the order"):
        list(findings((stored(YARD, 0, "car"), stored(STREET, 0, "car"))).pictures())


@pytest.mark.parametrize("name", ["coco", "jsonl", "yolo", "mot", "cvat"])
def test_a_long_video_is_written_frame_by_frame(name: str) -> None:
    written_before_the_end = []
    file = OnlyWritable()

    def rows() -> Iterator[StoredDetection]:
        for frame in ANALYSED:
            yield from (stored(YARD, frame, "car", left % 7) for left in range(2000))
        written_before_the_end.append(len(file.written))

    export_format(name).write(findings(rows()), file)  # type: ignore[arg-type]

    assert written_before_the_end[0] > len(file.written) / 5


@pytest.mark.parametrize("name", ["coco", "jsonl", "csv", "parquet", "mot", "cvat", "yolo"])
def test_the_same_results_give_the_same_bytes(name: str) -> None:
    assert exported(name) == exported(name)
