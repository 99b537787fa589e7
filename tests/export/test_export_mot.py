"""MOT Challenge files, read by motmetrics and by trackers."""

import configparser
import csv
import io
import zipfile
from pathlib import Path

import motmetrics
import pytest
from export_videos import ANALYSED, DOG, ITEMS, PERSON, SECONDS, exported
from trackers.eval.evaluate import evaluate_mot_sequence
from trackers.io.mot import load_mot_file

from vision.errors import InvalidRequest

# motmetrics 1.4 subtracts tuples from data frames, which pandas will do otherwise one day.
pytestmark = pytest.mark.filterwarnings("ignore:Operation with tuple is deprecated")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(exported("mot"))) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    return tmp_path


def test_motmetrics_reads_the_tracks(folder: Path) -> None:
    path = folder / "street_cam" / "gt" / "gt.txt"

    rows = motmetrics.io.loadtxt(path, fmt=motmetrics.io.Format.MOT16, min_confidence=1)

    frames = [(1, PERSON), (4, PERSON), (10, PERSON), (10, DOG), (13, DOG)]
    assert sorted(rows.index.tolist()) == sorted(frames)
    first = rows.loc[(1, PERSON)]
    # motmetrics takes 1 off the corner: pixels count from 1 in the file.
    assert first[["X", "Y", "Width", "Height"]].tolist() == [1.0, 5.0, 20.5, 10.0]


def test_trackers_scores_a_file_held_against_itself_without_an_error(folder: Path) -> None:
    path = folder / "street_cam" / "gt" / "gt.txt"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    # The challenge asks for people only: class 1 is scored, all others would be mistakes.
    path.write_text("".join(line for line in lines if line.split(",")[7] == "1"))

    scores = evaluate_mot_sequence(path, path, metrics=["CLEAR", "Identity"])

    assert scores.CLEAR is not None
    assert scores.Identity is not None
    assert (scores.CLEAR.MOTA, scores.CLEAR.CLR_TP, scores.Identity.IDF1) == (1.0, 3, 1.0)


def test_classes_are_numbered_people_first_and_named(folder: Path) -> None:
    path = folder / "street_cam" / "gt"
    rows = motmetrics.io.loadtxt(path / "gt.txt", fmt=motmetrics.io.Format.MOT16)

    labels = (path / "labels.txt").read_text(encoding="utf-8").splitlines()

    assert labels == ["person", "car", "dog"]
    assert labels[int(rows.loc[(1, PERSON), "ClassId"]) - 1] == "person"
    assert labels[int(rows.loc[(10, DOG), "ClassId"]) - 1] == "dog"


def test_trackers_reads_all_detections_with_their_scores(folder: Path) -> None:
    frames = load_mot_file(folder / "street_cam" / "det" / "det.txt")

    assert sorted(frames) == [1, 4, 10, 13]
    assert frames[4].boxes.tolist() == [[3.0, 6.0, 20.5, 10.0], [11.0, 6.0, 20.5, 10.0]]
    assert frames[4].ids.tolist() == [-1, -1]
    assert frames[4].confidences.tolist() == [0.875, 0.875]


def test_the_sequence_is_described_and_empty_frames_are_listed(folder: Path) -> None:
    described = configparser.ConfigParser()
    described.read(folder / "street_cam" / "seqinfo.ini")
    with (folder / "street_cam" / "frames.csv").open(newline="") as file:
        frames = [(int(row["frame"]), float(row["pts_seconds"])) for row in csv.DictReader(file)]

    assert dict(described["Sequence"]) == {
        "name": "street_cam",
        "imdir": "img1",
        "framerate": "8",
        "seqlength": "20",
        "imwidth": "40",
        "imheight": "30",
        "imext": ".jpg",
    }
    assert frames == [(index + 1, at) for index, at in zip(ANALYSED, SECONDS, strict=True)]


def test_a_video_without_tracks_has_detections_only(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "street_cam-4").iterdir()) == [
        "det",
        "frames.csv",
        "seqinfo.ini",
    ]


@pytest.mark.parametrize("name", ["mot", "cvat"])
def test_a_job_of_images_has_no_tracks_to_export(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{name!r} is for videos"):
        exported(name, (), ITEMS[:1])
