"""YOLO labels, read as Ultralytics documents them: a text file beside every picture."""

import csv
import io
import zipfile
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest
import yaml
from export_videos import ANALYSED, ITEMS, exported, stored


def opened(data: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive


def labels(archive: zipfile.ZipFile, name: str) -> list[list[float]]:
    text = archive.read(f"labels/train/{name}.txt").decode()
    return [[float(number) for number in line.split()] for line in text.splitlines()]


def test_every_image_and_frame_has_a_label_file() -> None:
    names = [one for one in opened(exported("yolo")).namelist() if one.startswith("labels/")]

    frames = [f"{stem}_{n:06d}" for stem in ("street_cam", "street_cam-4") for n in ANALYSED]
    assert [PurePosixPath(name).stem for name in names] == ["still", *frames]


def test_boxes_are_shares_of_the_picture() -> None:
    archive = opened(exported("yolo"))
    names = yaml.safe_load(archive.read("data.yaml"))["names"]

    ((number, x, y, width, height),) = labels(archive, "still")

    assert names[int(number)] == "car"
    assert np.allclose([x, y, width, height], [20.25 / 40, 10 / 30, 20.5 / 40, 10 / 30], atol=1e-6)
    assert labels(archive, "street_cam_000006") == []


def test_what_hangs_over_the_edge_is_cut_off() -> None:
    ((_, x, _, width, _),) = labels(opened(exported("yolo")), "street_cam_000012")

    assert x + width / 2 == pytest.approx(1, abs=1e-5)
    assert width == pytest.approx(10 / 40)


def test_a_box_outside_the_picture_has_no_line() -> None:
    outside = replace(stored(0, None, "car"), box=(50.0, 5.0, 60.0, 15.0))

    assert labels(opened(exported("yolo", (outside,))), "still") == []


def test_data_yaml_has_the_folders_and_every_class_from_0() -> None:
    about = yaml.safe_load(opened(exported("yolo")).read("data.yaml"))

    assert about["train"] == about["val"] == "images/train"
    assert about["names"] == {0: "person", 1: "car", 2: "dog"}


def test_labels_that_no_count_announced_are_numbered_too() -> None:
    items = tuple(replace(one, counts={}) for one in ITEMS)

    about = yaml.safe_load(opened(exported("yolo", items=items)).read("data.yaml"))

    assert about["names"] == {0: "car", 1: "person", 2: "dog"}


@pytest.mark.parametrize(
    "filename", ["../../etc/passwd.jpg", "/root/x.jpg", "a\\b.jpg", "..", "\x00.jpg", "ä ö.jpg"]
)
def test_no_file_name_leads_out_of_the_archive(filename: str) -> None:
    items = (replace(ITEMS[0], filename=filename),)

    names = opened(exported("yolo", (), items)).namelist()

    for name in names:
        assert not name.startswith("/")
        assert ".." not in PurePosixPath(name).parts
        assert len(PurePosixPath(name).parts) <= 3
        assert "\\" not in name


def test_which_file_has_which_name_is_listed() -> None:
    text = opened(exported("yolo")).read("items.csv").decode()

    rows = list(csv.DictReader(io.StringIO(text)))

    assert [row["name"] for row in rows] == ["still", "street_cam", "torn", "street_cam-4"]
    assert rows[1]["filename"] == "street cam.mp4"
    assert [row["is_video"] for row in rows] == ["0", "1", "1", "1"]
