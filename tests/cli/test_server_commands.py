"""The commands that talk to a server, against a whole running service."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from console import (
    Batch,
    Ended,
    Workplace,
    make_picture,
    make_text_named_jpeg,
    make_truncated_jpeg,
    run,
)
from pycocotools.coco import COCO
from running_service import Server, running_service

YARD = Path(__file__).parents[2] / "samples" / "images" / "yard-1.jpg"


@pytest.fixture(scope="module")
def server(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_service(workplace, tmp_path_factory.mktemp("service") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def served(server: Server, workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """A batch done by the server: two good files, one of them twice, and two bad ones."""
    folder = tmp_path_factory.mktemp("sent")
    for name in ("yard.jpg", "zwilling ö.jpg"):
        (folder / name).write_bytes(YARD.read_bytes())
    make_picture(folder / "empty.png")
    make_truncated_jpeg(folder / "torn.jpg")
    make_text_named_jpeg(folder / "diary.jpg")
    ended = send(server, workplace, folder)
    return Batch(ended, folder, folder / "out")


def send(server: Server, workplace: Workplace, folder: Path) -> Ended:
    options = ("--server", server.url, "--annotate", "--json")
    return run("batch", folder, "-p", workplace.pipeline, "-o", folder / "out", *options)


@pytest.fixture(scope="module")
def job(server: Server, served: Batch) -> str:
    """The job that the batch made."""
    (only,) = server.json("jobs", "list")["items"]
    return str(only["id"])


def test_a_batch_by_a_server_says_the_same_as_one_here(served: Batch) -> None:
    assert served.ended.code == 3, served.ended.err
    assert [line["filename"] for line in served.lines] == [
        "diary.jpg",
        "empty.png",
        "torn.jpg",
        "yard.jpg",
        "zwilling ö.jpg",
    ]
    assert {error["file"]: error["code"] for error in served.summary["errors"]} == {
        "diary.jpg": "unsupported_type",
        "torn.jpg": "image_truncated",
    }
    yard = served.lines[3]
    assert yard["detections"][0]["mask"]["counts"]
    assert yard["provenance"]["stages"][0]["model"] == "yard"
    assert yard["detections"] == served.lines[4]["detections"]
    assert sorted(path.name for path in (served.out / "annotated").iterdir()) == [
        "empty.jpg",
        "yard.jpg",
        "zwilling ö.jpg",
    ]


def test_a_second_batch_by_a_server_makes_no_second_job(
    server: Server, served: Batch, workplace: Workplace, job: str
) -> None:
    before = served.lines

    again = send(server, workplace, served.folder)

    assert again.code == 3
    assert served.lines == before
    assert [one["id"] for one in server.json("jobs", "list")["items"]] == [job]


def test_a_job_is_shown_with_its_failures(server: Server, job: str) -> None:
    shown = server.run("jobs", "show", job)

    assert shown.code == 0
    assert "partial" in shown.out
    assert "torn.jpg" in shown.out
    assert "image_truncated" in shown.out


def test_waiting_for_a_partial_job_ends_with_3(server: Server, job: str) -> None:
    assert server.run("jobs", "wait", job).code == 3


def test_an_unknown_job_is_one_sentence(server: Server) -> None:
    ended = server.run("jobs", "show", "01900000-0000-7000-8000-000000000000")

    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1


def test_a_job_whose_units_all_ran_is_not_retried(server: Server, job: str) -> None:
    ended = server.run("jobs", "retry", job)

    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1


def test_cancelling_an_ended_job_leaves_it_as_it_is(server: Server, job: str) -> None:
    ended = server.run("jobs", "cancel", job)

    assert ended.code == 0
    assert "partial" in ended.out


def test_detections_are_listed_and_filtered(server: Server, served: Batch, job: str) -> None:
    found = server.json("detections", job)["items"]
    labels = [one["label"] for line in served.lines[:4] for one in line["detections"]]
    chosen = server.json("detections", job, "--label", labels[0], "--min-score", 0.5)["items"]

    assert [one["label"] for one in found] == labels
    assert {one["label"] for one in chosen} == {labels[0]}
    assert found[0].get("mask") is None


def test_detections_come_with_masks_when_asked(server: Server, job: str) -> None:
    found = server.json("detections", job, "--masks", "--limit", 1)["items"]

    assert len(found) == 1
    assert found[0]["mask"]["counts"]


def test_detections_are_a_table_for_people(server: Server, job: str) -> None:
    lines = server.run("detections", job).out.splitlines()

    assert lines[0].split() == ["asset", "label", "score", "box"]
    assert len(lines) > 1


@pytest.mark.parametrize("form", ["coco", "jsonl", "csv", "parquet"])
def test_an_export_is_a_file_that_its_reader_reads(
    server: Server, served: Batch, job: str, form: str, tmp_path: Path
) -> None:
    path = tmp_path / "made" / f"results.{form}"
    expected = sum(len(line["detections"]) for line in served.lines[:4])

    ended = server.run("export", job, "--format", form, "--out", path)

    assert ended.code == 0, ended.err
    assert rows_in(path, form) == expected


def test_an_export_goes_to_standard_output_without_out(server: Server, job: str) -> None:
    ended = server.run("export", job, "--format", "csv")

    assert ended.out.startswith("job_id,asset_id,filename")


def test_a_failed_export_leaves_no_file(server: Server, tmp_path: Path) -> None:
    nobody = "01900000-0000-7000-8000-000000000000"

    ended = server.run("export", nobody, "--format", "csv", "--out", tmp_path / "r.csv")

    assert ended.code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_server_names_the_wrong_field_of_a_pipeline(server: Server, tmp_path: Path) -> None:
    make_picture(tmp_path / "in" / "a.jpg")
    (tmp_path / "p.yaml").write_text("detect: {model: no_such_model}\n")

    options = ("-p", tmp_path / "p.yaml", "-o", tmp_path / "out", "--server", server.url)
    ended = run("batch", tmp_path / "in", *options)

    assert ended.code == 2
    assert "detect.model" in ended.err


def rows_in(path: Path, form: str) -> int:
    if form == "coco":
        return len(COCO(str(path)).anns)
    if form == "jsonl":
        lines = path.read_text().splitlines()
        return sum(len(json.loads(line)["detections"]) for line in lines)
    if form == "csv":
        return len(list(csv.DictReader(io.StringIO(path.read_text(), newline=""))))
    rows: int = pq.read_table(path).num_rows
    return rows
