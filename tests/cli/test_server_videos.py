"""Videos by a server: the batch, and the commands that ask for frames, tracks and times."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from console import Batch, Ended, Workplace, run
from running_service import Server, running_service
from yard_clips import (
    FPS,
    HEIGHT,
    WIDTH,
    YARD,
    make_clip,
    make_text_named_mp4,
    make_truncated_clip,
    seen,
)

FRAMES = 16


@pytest.fixture(scope="module")
def server(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("service") / "data"
    with running_service(workplace, data, VISION_CHUNK_FRAMES="8") as running:
        yield running


@pytest.fixture(scope="module")
def served(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """A whole clip, a cut one, a picture, and a text that calls itself a video."""
    folder = tmp_path_factory.mktemp("sent")
    make_clip(folder / "clip.mp4", frames=FRAMES)
    make_truncated_clip(folder / "torn.mp4", frames=FRAMES)
    make_text_named_mp4(folder / "diary.mp4")
    (folder / "yard.jpg").write_bytes(YARD.read_bytes())
    ended = send(server, folder)
    assert "Traceback" not in ended.err, ended.err
    return Batch(ended, folder, folder / "out")


def send(server: Server, folder: Path) -> Ended:
    return run(
        *("batch", folder, "-p", "demo", "-o", folder / "out"),
        *("--server", server.url, "--annotate"),
    )


@pytest.fixture(scope="module")
def job(server: Server, served: Batch) -> str:
    """The job of the videos; the picture has one of its own."""
    jobs = server.json("jobs", "list")["items"]
    (only,) = [one["id"] for one in jobs if one["progress"]["frames_total"] is not None]
    return str(only)


@pytest.fixture(scope="module")
def clip_asset(served: Batch) -> str:
    return str(served.line("clip.mp4")["asset_id"])


def test_a_batch_by_a_server_says_the_same_as_one_here(
    served: Batch, workplace: Workplace, tmp_path: Path
) -> None:
    options = ("-p", "demo", "-o", tmp_path / "out")
    here = workplace.run("batch", served.folder, *options, VISION_CHUNK_FRAMES="8")
    local = Batch(here, served.folder, tmp_path / "out")

    assert served.ended.code == here.code == 3, served.ended.err
    assert {line["filename"]: line["state"] for line in served.lines} == {
        "clip.mp4": "done",
        "diary.mp4": "failed",
        "torn.mp4": "partial",
        "yard.jpg": "done",
    }
    for name in ("clip.mp4", "torn.mp4"):
        assert without_ids(served.line(name)) == without_ids(local.line(name))
        assert served.detections_of(name) == local.detections_of(name)


def test_annotated_files_are_fetched(served: Batch) -> None:
    drawn = seen(served.out / "annotated" / "clip.mp4")

    assert sorted(path.name for path in (served.out / "annotated").iterdir()) == [
        "clip.mp4",
        "torn.mp4",
        "yard.jpg",
    ]
    assert len(drawn) == FRAMES
    assert drawn[0].shape == (HEIGHT, WIDTH, 3)
    assert served.summary["annotated"] == {"pictures": 1, "videos": 2, "errors": []}


def test_a_second_batch_asks_for_nothing_new(server: Server, served: Batch, job: str) -> None:
    before = served.lines
    jobs = [one["id"] for one in server.json("jobs", "list")["items"]]

    again = send(server, served.folder)

    assert again.code == 3
    assert served.lines == before
    assert served.summary["files"]["reused"] == 3
    assert [one["id"] for one in server.json("jobs", "list")["items"]] == jobs


def test_a_job_shows_its_frames_and_its_partial_files(
    server: Server, served: Batch, job: str
) -> None:
    shown = server.run("jobs", "show", job)
    decoded = served.line("torn.mp4")["frames_decoded"]

    assert shown.code == 0, shown.err
    assert any(line.split()[0] == "frames" for line in shown.out.splitlines() if line)
    assert "track: bytetrack" in shown.out
    assert f"{decoded} of {FRAMES}" in shown.out
    assert "torn.mp4" in shown.out


def test_waiting_for_a_partial_job_ends_with_3_and_names_the_frames(
    server: Server, job: str
) -> None:
    ended = server.run("jobs", "wait", job)

    assert ended.code == 3
    assert "frames" in ended.out


def test_tracks_are_a_table_for_people(server: Server, job: str) -> None:
    lines = server.run("tracks", job).out.splitlines()

    assert lines[0].split()[:2] == ["track", "label"]
    assert lines[1].split()[0] == "1"


def test_tracks_are_filtered(server: Server, served: Batch, job: str, clip_asset: str) -> None:
    mine = served.line("clip.mp4")["tracks"]
    label = mine[0]["label"]

    of_clip = server.json("tracks", job, "--asset", clip_asset)["items"]
    of_label = server.json("tracks", job, "--asset", clip_asset, "--label", label)["items"]
    only = server.json("tracks", job, "--track", mine[0]["track_id"])["items"]
    late = server.json("tracks", job, "--from", 1000)["items"]

    assert [one["track_id"] for one in of_clip] == [one["track_id"] for one in mine]
    assert {one["label"] for one in of_label} == {label}
    assert [one["track_id"] for one in only] == [mine[0]["track_id"]]
    assert late == []


def test_detections_of_a_track_a_frame_and_a_stretch(
    server: Server, served: Batch, job: str, clip_asset: str
) -> None:
    found = served.detections_of("clip.mp4")
    track = served.line("clip.mp4")["tracks"][0]["track_id"]
    within = (0.5, 1.0)

    followed = ask(server, job, "--track", track)
    of_frame = ask(server, job, "--asset", clip_asset, "--frame", 3)
    stretch = ask(server, job, "--asset", clip_asset, "--from", within[0], "--to", within[1])

    assert len(followed) == sum(one["track_id"] == track for one in found)
    assert [one["box"] for one in of_frame] == [
        one["box"] for one in found if one["frame_index"] == 3
    ]
    assert {one["frame_index"] for one in stretch} == set(range(round(0.5 * FPS), FPS))


def test_detections_of_a_video_are_a_table_with_times(server: Server, job: str) -> None:
    lines = server.run("detections", job).out.splitlines()

    assert lines[0].split() == ["asset", "label", "score", "box", "seconds", "frame", "track"]


def test_a_job_is_tracked_again_without_a_model(server: Server, served: Batch, job: str) -> None:
    before = server.json("detections", job, "--limit", 1000)["items"]

    ended = server.run("jobs", "track", job, "--algorithm", "sort", "--wait")

    shown = server.json("jobs", "show", job)
    after = server.json("detections", job, "--limit", 1000)["items"]
    assert ended.code == 3, ended.err
    assert shown["pipeline"]["track"]["algorithm"] == "sort"
    assert [(one["id"], one["box"]) for one in after] == [(one["id"], one["box"]) for one in before]


def test_a_wrong_tracker_is_a_wrong_usage_that_names_the_field(server: Server, job: str) -> None:
    ended = server.run("jobs", "track", job, "--algorithm", "sorted")

    assert ended.code == 2
    assert "algorithm" in ended.err


@pytest.mark.parametrize("form", ["coco", "jsonl", "csv", "parquet", "mot", "cvat", "yolo"])
def test_every_format_of_the_server_is_exported(
    server: Server, job: str, form: str, tmp_path: Path
) -> None:
    ended = server.run("export", job, "--format", form, "--out", tmp_path / form)

    assert ended.code == 0, ended.err
    assert (tmp_path / form).stat().st_size > 100


def test_an_unknown_format_is_refused_with_the_servers_list(server: Server, job: str) -> None:
    ended = server.run("export", job, "--format", "mott", "--out", "never")

    assert ended.code == 2
    assert "mot" in ended.err


def ask(server: Server, job: str, *options: object) -> list[dict[str, Any]]:
    found = server.json("detections", job, *options, "--limit", 1000)["items"]
    assert isinstance(found, list)
    return found


def without_ids(line: dict[str, Any]) -> str:
    """What doesn't depend on where it was stored, and by whom."""
    return json.dumps({name: line[name] for name in line if name not in ("asset_id", "provenance")})
