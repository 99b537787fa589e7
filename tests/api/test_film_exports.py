"""Exports of a job with videos, through the server and out of a database."""

import configparser
import csv
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID
from xml.etree import ElementTree

import httpx
import pytest
from films import CAR_FRAMES, FRAMES, PERSON_FRAMES, Studio, keep_film, seconds_of, submitted
from pictures import picture
from serving import serving, settings_in

from vision.pipelines.export.formats import FORMATS


@dataclass(frozen=True)
class Finished:
    """A job over a film, a picture, and another film."""

    client: httpx.Client
    job: str

    def export(self, name: str) -> httpx.Response:
        answer = self.client.get(f"/v1/jobs/{self.job}/export", params={"format": name})
        assert answer.status_code == 200, answer.text
        return answer

    def archive(self, name: str) -> zipfile.ZipFile:
        archive = zipfile.ZipFile(io.BytesIO(self.export(name).content))
        assert archive.testzip() is None
        return archive


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    with serving(settings_in(tmp_path_factory.mktemp("exports"))) as served:
        films = (keep_film(served.engine), keep_film(served.engine, name="gate.mkv"))
        image = UUID(served.client.post("/v1/assets", content=picture()).json()["id"])
        job = submitted(served.client, films[0], image, films[1])
        Studio(served.engine).work()
        yield Finished(served.client, job)


def test_coco_has_every_analysed_frame_and_every_track(finished: Finished) -> None:
    document = finished.export("coco").json()

    frames = [image for image in document["images"] if image.get("video_id") == 1]
    tracks = [one.get("track_id") for one in document["annotations"]]
    assert [frame["frame_index"] for frame in frames] == list(range(FRAMES))
    assert [frame["pts_seconds"] for frame in frames] == [seconds_of(n) for n in range(FRAMES)]
    assert len(document["images"]) == 2 * FRAMES + 1
    assert {number: tracks.count(number) for number in (1, 2, 2_000_001, 2_000_002)} == {
        1: len(CAR_FRAMES),
        2: len(PERSON_FRAMES),
        2_000_001: len(CAR_FRAMES),
        2_000_002: len(PERSON_FRAMES),
    }


def test_mot_has_a_folder_for_each_video(finished: Finished) -> None:
    archive = finished.archive("mot")
    about = configparser.ConfigParser()
    about.read_string(archive.read("yard/seqinfo.ini").decode())

    rows = [line.split(",") for line in archive.read("gate/gt/gt.txt").decode().splitlines()]

    assert about["Sequence"]["seqLength"] == str(FRAMES)
    assert [int(row[0]) for row in rows if row[1] == "2000001"] == [n + 1 for n in CAR_FRAMES]
    assert len(archive.read("gate/det/det.txt").splitlines()) == len(rows)


def test_cvat_has_a_track_per_object(finished: Finished) -> None:
    document = ElementTree.fromstring(finished.archive("cvat").read("yard.xml"))

    tracks = {track.get("label"): track for track in document.findall("track")}
    assert sorted(tracks) == ["car", "person"]
    assert [shape.get("frame") for shape in tracks["car"]] == [str(n) for n in range(81)]
    assert [shape.get("outside") for shape in tracks["car"]][-2:] == ["0", "1"]


def test_yolo_has_a_label_file_for_every_picture(finished: Finished) -> None:
    archive = finished.archive("yolo")

    labels = [name for name in archive.namelist() if name.startswith("labels/")]
    assert len(labels) == 2 * FRAMES + 1
    assert archive.read(f"labels/train/yard_{FRAMES - 1:06d}.txt") == b""


def test_tables_and_lines_know_frames_and_tracks(finished: Finished) -> None:
    rows = list(csv.DictReader(io.StringIO(finished.export("csv").text)))
    lines = [json.loads(line) for line in finished.export("jsonl").text.splitlines()]

    own = [row for row in rows if row["track_id"] == "2"]
    assert [int(row["frame_index"]) for row in own] == list(PERSON_FRAMES)
    assert [float(row["pts_seconds"]) for row in own] == [seconds_of(n) for n in PERSON_FRAMES]
    assert len(lines) == 1 + 2 * (1 + FRAMES + 2)
    assert lines[0]["frames_done"] == FRAMES


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"embeddings"}))
def test_an_export_is_the_same_each_time(finished: Finished, name: str) -> None:
    first, second = finished.export(name), finished.export(name)

    assert first.content == second.content
    assert first.headers["content-type"] == FORMATS[name].media_type
