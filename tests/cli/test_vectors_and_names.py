"""Vectors and names by real networks: here, in a batch, and by a server the same."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from console import Batch, Ended, Workplace, make_picture, run
from running_service import Server, running_service
from tiny_embedders import DIMENSIONS, save_dino
from torchvision.models import mobilenet_v3_small
from yard_clips import YARD, make_clip

from vision.models.adding import add_model

FRAMES = 8
LABELS = ("street", "yard", "sea")
SETTINGS = {"VISION_CHUNK_FRAMES": "4"}
OF = ("image", "detections")


@dataclass(frozen=True)
class Both:
    """The same folder here and by a server, by what the vectors are of."""

    here: dict[str, Batch]
    served: dict[str, Batch]
    jobs: dict[str, dict[str, str]]
    """By what the vectors are of and by the name of a file, the server's job."""


@pytest.fixture(scope="module")
def models(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    folder = tmp_path_factory.mktemp("networks")
    dino = save_dino(folder / "dino", "dinov2_small")
    add_model(workplace.models_dir, "small_dino", like="dinov2_small", file=dino)
    torch.manual_seed(5)
    torch.save(mobilenet_v3_small(num_classes=len(LABELS)).state_dict(), folder / "places.pth")
    file, name = folder / "places.pth", "places"
    add_model(workplace.models_dir, name, like="mobilenet_v3_small", file=file, labels=LABELS)
    return workplace


def pipeline(folder: Path, of: str) -> Path:
    path = folder / f"{of}.json"
    document = {
        "detect": {"model": "yard", "min_score": 0.5},
        "embed": {"model": "small_dino", "of": of},
        "classify": {"model": "places", "top": 2},
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture(scope="module")
def server(models: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("service") / "data"
    with running_service(models, data, **SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def both(server: Server, models: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("files")
    (folder / "yard.jpg").write_bytes(YARD.read_bytes())
    make_picture(folder / "empty.png")
    make_clip(folder / "clip.mp4", frames=FRAMES)
    here, served, jobs = {}, {}, {}
    for of in OF:
        ways = {"here": {}, "there": {"--server": server.url}}
        done: dict[str, Batch] = {}
        for way, options in ways.items():
            out = tmp_path_factory.mktemp(f"{way}-{of}")
            words = [word for option in options.items() for word in option]
            asked = ("batch", folder, "-p", pipeline(out, of), "-o", out / "out", *words)
            ended = models.run(*asked, **SETTINGS)
            assert ended.code == 0, ended.err
            done[way] = Batch(ended, folder, out / "out")
        here[of], served[of] = done["here"], done["there"]
        jobs[of] = newest_jobs(server)
    return Both(here, served, jobs)


def newest_jobs(server: Server) -> dict[str, str]:
    newest = server.json("jobs", "list")["items"][:2]
    return {
        "clip.mp4" if one["progress"]["frames_total"] is not None else "yard.jpg": one["id"]
        for one in newest
    }


def lines(batch: Batch, name: str, kind: str) -> list[dict[str, Any]]:
    """Of a video: the lines of one of its own files."""
    text = (batch.out / batch.line(name)[f"{kind}_file"]).read_text()
    return [json.loads(line) for line in text.splitlines()]


def without_ids(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "asset_id"}


def analyzed(models: Workplace, file: Path, of: str, folder: Path) -> Any:
    ended = models.run("analyze", file, "-p", pipeline(folder, of), "--json", **SETTINGS)
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


@pytest.mark.parametrize("of", OF)
def test_a_batch_by_a_server_says_the_same_as_one_here(both: Both, of: str) -> None:
    here, served = both.here[of], both.served[of]

    assert [without_ids(one) for one in here.lines] == [without_ids(one) for one in served.lines]
    for kind in ("detections", "classifications", *(["embeddings"] if of == "image" else [])):
        assert lines(here, "clip.mp4", kind) == lines(served, "clip.mp4", kind)


def test_a_picture_has_its_names_and_its_vector(both: Both) -> None:
    line = both.here["image"].line("yard.jpg")
    vector = np.array(line["embedding"], np.float32)

    assert vector.shape == (DIMENSIONS,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert [set(one) for one in line["classes"]] == [{"label", "class_id", "score"}] * 2
    assert line["classes"][0]["score"] >= line["classes"][1]["score"]
    assert {one["label"] for one in line["classes"]} <= set(LABELS)
    assert {one["embedding"] for one in line["detections"]} == {None}


def test_what_was_found_in_a_picture_has_a_vector_each(both: Both) -> None:
    line = both.here["detections"].line("yard.jpg")

    vectors = np.array([one["embedding"] for one in line["detections"]], np.float32)
    assert line["embedding"] is None
    assert vectors.shape == (len(line["detections"]), DIMENSIONS)
    assert len(np.unique(vectors, axis=0)) == len(vectors) > 1
    assert both.here["detections"].line("empty.png")["embedding"] is None


def test_a_video_has_files_of_names_and_of_vectors(both: Both) -> None:
    batch = both.here["image"]
    line = batch.line("clip.mp4")
    named, embedded = (lines(batch, "clip.mp4", kind) for kind in ("classifications", "embeddings"))

    assert line["embeddings_file"] == "embeddings/clip.mp4.embeddings.jsonl"
    assert [one["frame_index"] for one in named] == list(range(FRAMES))
    assert [one["frame_index"] for one in embedded] == list(range(FRAMES))
    assert all(len(one["embedding"]) == DIMENSIONS for one in embedded)
    best = {one["label"]: one["score"] for one in line["classes"]}
    every = [name for one in named for name in one["classes"]]
    assert best == {
        label: max(one["score"] for one in every if one["label"] == label)
        for label in {one["label"] for one in every}
    }
    of_rows = both.here["detections"]
    assert of_rows.line("clip.mp4")["embeddings_file"] is None
    found = of_rows.detections_of("clip.mp4")
    assert all(len(one["embedding"]) == DIMENSIONS for one in found)


@pytest.mark.slow
def test_one_picture_alone_says_the_same_as_in_a_batch(
    both: Both, models: Workplace, tmp_path: Path
) -> None:
    line = both.here["image"].line("yard.jpg")

    result = analyzed(models, YARD, "image", tmp_path)

    assert result["embedding"] == line["embedding"]
    assert result["classes"] == line["classes"]
    assert result["items"] == line["detections"]


@pytest.mark.slow
def test_one_video_alone_says_the_same_as_in_a_batch(
    both: Both, models: Workplace, tmp_path: Path
) -> None:
    batch = both.here["image"]

    result = analyzed(models, batch.folder / "clip.mp4", "image", tmp_path)

    assert result["items"] == batch.detections_of("clip.mp4")
    assert result["classifications"] == lines(batch, "clip.mp4", "classifications")
    assert result["embeddings"] == lines(batch, "clip.mp4", "embeddings")
    assert result["classes"] == batch.line("clip.mp4")["classes"]


def test_people_are_told_the_best_names(both: Both, models: Workplace, tmp_path: Path) -> None:
    asked = ("analyze", YARD, "-p", pipeline(tmp_path, "detections"))

    ended: Ended = models.run(*asked, cwd=tmp_path)

    line = both.here["detections"].line("yard.jpg")
    first = line["classes"][0]
    assert f"shows: {first['label']} {first['score']:.3f}, " in ended.out
    assert f"embeddings: {len(line['detections'])} of {DIMENSIONS} numbers" in ended.out


def test_vectors_are_listed_and_filtered(server: Server, both: Both) -> None:
    film, pictures = both.jobs["image"]["clip.mp4"], both.jobs["detections"]["yard.jpg"]

    found = server.json("embeddings", film, "--from", 0.2, "--to", 0.5)["items"]
    of_rows = server.json("embeddings", pictures, "--of", "detection", "--limit", 1)["items"]
    asked = server.json("detections", pictures, "--embeddings", "--limit", 1)["items"]

    assert [one["frame_index"] for one in found] == [2, 3]
    assert found[0]["model"] == "small_dino"
    assert (of_rows[0]["detection_id"], of_rows[0]["vector"]) == (
        asked[0]["id"],
        asked[0]["embedding"],
    )


def test_names_are_listed_and_filtered(server: Server, both: Both) -> None:
    film = both.jobs["image"]["clip.mp4"]

    best = server.json("classifications", film, "--top", 1)["items"]
    of_frame = server.json("classifications", film, "--frame", 3)["items"]

    assert [(one["rank"], one["frame_index"]) for one in best] == [(1, n) for n in range(FRAMES)]
    assert [(one["rank"], one["frame_index"]) for one in of_frame] == [(1, 3), (2, 3)]


def test_people_get_tables(server: Server, both: Both) -> None:
    film = both.jobs["image"]["clip.mp4"]

    vectors = server.run("embeddings", film, "--limit", 2)
    names = server.run("classifications", film, "--limit", 2)

    assert vectors.out.splitlines()[0].split()[:4] == ["asset", "of", "seconds", "frame"]
    assert f" {DIMENSIONS} " in vectors.out
    assert "vision export -f embeddings" in vectors.err
    assert names.out.splitlines()[0].split()[:4] == ["asset", "rank", "label", "score"]
    assert len(names.out.splitlines()) == 3


def test_all_vectors_are_exported_into_one_file(server: Server, both: Both, tmp_path: Path) -> None:
    film, path = both.jobs["image"]["clip.mp4"], tmp_path / "vectors.parquet"

    ended = server.run("export", film, "--format", "embeddings", "--out", path)

    table = pq.read_table(path)
    expected = [one["embedding"] for one in lines(both.here["image"], "clip.mp4", "embeddings")]
    assert ended.code == 0, ended.err
    np.testing.assert_array_equal(table["vector"].to_pylist(), np.array(expected, np.float32))


def test_names_are_exported_as_a_table(server: Server, both: Both) -> None:
    ended = server.run("export", both.jobs["image"]["yard.jpg"], "--format", "classes")

    assert ended.out.startswith("job_id,asset_id,filename,of,rank,label")
    assert len(ended.out.splitlines()) == 1 + 2 * 2


def test_an_unknown_kind_is_a_wrong_usage() -> None:
    assert run("embeddings", "job", "--of", "clip").code == 2
