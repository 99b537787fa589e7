"""What is said of whole pictures and clips in the formats that have a place for it."""

import csv
import io
import json
from collections.abc import Iterable, Set
from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow.parquet as pq
import pytest
from export_videos import ANALYSED, ITEMS, JOB, JOB_ID, ROWS, SECONDS, STREET, YARD
from numpy.typing import NDArray

from vision.domain.findings import ClassScore, unit_length
from vision.domain.job import Item
from vision.domain.stored import StoredDetection
from vision.domain.stored_findings import (
    Classified,
    Embedded,
    StoredClassification,
    StoredEmbedding,
)
from vision.domain.video import FrameTimes
from vision.errors import InvalidRequest
from vision.pipelines.export.findings import JobFindings
from vision.pipelines.export.formats import export_format

DIMENSIONS = 6
BIG_ID = 3_700_000_000_000_000_001
"""Needs 62 bits: a float64 would lose its last digit."""
NAMED = tuple(
    replace(one, classes=(ClassScore("=street", 7, 0.9),)) if one.index in (0, STREET) else one
    for one in ITEMS
)


def vector(seed: int) -> NDArray[np.float32]:
    return unit_length(np.random.default_rng(seed).normal(size=(1, DIMENSIONS)))[0]


def embedding(
    item: int, seed: int, *, frame: int | None = None, of: StoredDetection | None = None
) -> StoredEmbedding:
    whole = Embedded.IMAGE if frame is None else Embedded.FRAME
    return StoredEmbedding(
        job_id=JOB_ID,
        item=item,
        asset_id=UUID(int=100 + item),
        of=whole if of is None else Embedded.DETECTION,
        model="small_dino",
        weights_sha256="e" * 64,
        dimensions=DIMENSIONS,
        vector=vector(seed),
        frame_index=frame,
        pts_seconds=None if frame is None else SECONDS[ANALYSED.index(frame)],
        detection=of,
    )


def named(
    item: int, label: str, *, rank: int = 1, frame: int | None = None
) -> StoredClassification:
    seconds = None if frame is None else SECONDS[ANALYSED.index(frame)]
    return StoredClassification(
        job_id=JOB_ID,
        item=item,
        asset_id=UUID(int=100 + item),
        of=Classified.IMAGE if frame is None else Classified.FRAME,
        rank=rank,
        label=label,
        class_id=7,
        score=1 - rank / 10,
        frame_index=frame,
        first_frame=frame,
        last_frame=frame,
        from_seconds=seconds,
        to_seconds=seconds,
    )


def clip(item: int, label: str, first: int, last: int, *, rank: int = 1) -> StoredClassification:
    return replace(
        named(item, label, rank=rank),
        of=Classified.CLIP,
        first_frame=first,
        last_frame=last,
        from_seconds=SECONDS[ANALYSED.index(first)],
        to_seconds=SECONDS[ANALYSED.index(last)],
    )


DOG = replace(ROWS[5], id=BIG_ID)
VECTORS = (
    embedding(0, 1),
    embedding(STREET, 2, frame=0),
    embedding(STREET, 3, frame=6),
    embedding(STREET, 4, frame=9, of=DOG),
)
NAMES = (
    named(0, "=street"),
    named(0, "yard", rank=2),
    named(STREET, "=street", frame=6),
    named(STREET, "yard", frame=9),
)
CLIPS = (
    clip(STREET, "walk", 0, 6),
    clip(STREET, "run", 0, 6, rank=2),
    clip(STREET, "walk", 9, 12),
)


def findings(
    *, vectors: Iterable[StoredEmbedding] = VECTORS, rows: Iterable[StoredDetection] = ROWS
) -> JobFindings:
    def embeddings(of: Set[Embedded]) -> Iterable[StoredEmbedding]:
        return (one for one in vectors if one.of in of)

    def classifications(of: Set[Classified]) -> Iterable[StoredClassification]:
        return (one for one in sorted((*NAMES, *CLIPS), key=lambda one: one.item) if one.of in of)

    def clips(item: Item) -> Iterable[StoredClassification]:
        return (one for one in CLIPS if one.item == item.index)

    def frame_times(item: Item) -> FrameTimes:
        return FrameTimes(np.array(ANALYSED), np.array(SECONDS))

    return JobFindings(
        JOB,
        NAMED,
        iter(rows),
        frame_times=frame_times,
        embeddings=embeddings,
        classifications=classifications,
        clips=clips,
    )


def exported(name: str, made: JobFindings | None = None) -> bytes:
    file = io.BytesIO()
    export_format(name).write(findings() if made is None else made, file)
    return file.getvalue()


def lines_of(item: int) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in exported("jsonl").splitlines()]
    return [line for line in lines if line["asset_id"] == str(UUID(int=100 + item))]


def test_an_images_line_has_its_names_and_its_vector() -> None:
    (line,) = lines_of(0)

    assert line["classes"] == [
        {"label": "=street", "class_id": 7, "score": 0.9},
        {"label": "yard", "class_id": 7, "score": 0.8},
    ]
    np.testing.assert_array_equal(np.array(line["embedding"], np.float32), vector(1))
    assert [one["label"] for one in line["detections"]] == ["car"]
    assert line["detections"][0]["embedding"] is None


def test_vectors_are_written_in_their_shortest_decimals() -> None:
    short = replace(VECTORS[0], vector=np.array([0.6, 0.8], np.float32), dimensions=2)

    (line, *_) = exported("jsonl", findings(vectors=(short,))).splitlines()

    assert b'"embedding":[0.6,0.8]' in line


def test_a_detections_vector_stands_beside_it() -> None:
    rows = (replace(ROWS[0], embedding=vector(9)), *ROWS[1:])

    (line, *_) = exported("jsonl", findings(rows=rows)).splitlines()

    found = json.loads(line)["detections"][0]["embedding"]
    np.testing.assert_array_equal(np.array(found, np.float32), vector(9))


def test_a_videos_line_names_the_best_and_its_frames_and_clips_the_rest() -> None:
    whole, *others = lines_of(STREET)
    frames = {line["frame_index"]: line for line in others if "frame_index" in line}
    clips = [line for line in others if "first_frame" in line and "label" not in line]

    assert whole["classes"] == [{"label": "=street", "class_id": 7, "score": 0.9}]
    assert (whole["embedding"], whole["detections"]) == (None, None)
    assert list(frames) == list(ANALYSED)
    assert [frame for frame, line in frames.items() if line["embedding"]] == [0, 6]
    assert [frame for frame, line in frames.items() if line["classes"]] == [6, 9]
    assert [len(line["detections"]) for line in frames.values()] == [1, 2, 0, 2, 1]
    np.testing.assert_array_equal(np.array(frames[6]["embedding"], np.float32), vector(3))
    assert [(one["first_frame"], one["last_frame"]) for one in clips] == [(0, 6), (9, 12)]
    assert [[name["label"] for name in one["classes"]] for one in clips] == [
        ["walk", "run"],
        ["walk"],
    ]


def test_what_nobody_was_asked_is_null() -> None:
    whole, *frames = lines_of(YARD)

    assert (whole["classes"], whole["embedding"]) == (None, None)
    assert {(one["classes"], one["embedding"]) for one in frames} == {(None, None)}


def test_one_file_has_every_vector_with_what_it_is_of() -> None:
    table = pq.read_table(io.BytesIO(exported("embeddings")))
    rows = table.to_pylist()

    assert table.schema.field("vector").type.list_size == DIMENSIONS
    flat = table["vector"].combine_chunks().flatten().to_numpy()
    np.testing.assert_array_equal(
        flat.reshape(-1, DIMENSIONS), [vector(seed) for seed in (1, 2, 3, 4)]
    )
    assert [row["of"] for row in rows] == ["image", "frame", "frame", "detection"]
    assert [row["frame_index"] for row in rows] == [None, 0, 6, 9]
    assert {(row["model"], row["weights_sha256"]) for row in rows} == {("small_dino", "e" * 64)}
    assert rows[0]["filename"] == "still.jpg"
    assert (rows[0]["label"], rows[0]["x1"], rows[0]["detection_id"]) == (None, None, None)
    assert (rows[3]["label"], rows[3]["detection_id"]) == ("dog", BIG_ID)
    assert [rows[3][edge] for edge in ("x1", "y1", "x2", "y2")] == list(DOG.box)
    assert rows[3]["track_id"] == DOG.track_id
    assert json.loads(table.schema.metadata[b"vision"])["job_id"] == str(JOB_ID)


def test_many_vectors_go_in_several_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vision.pipelines.export.embeddings.ROWS_PER_GROUP", 3)

    file = pq.ParquetFile(io.BytesIO(exported("embeddings")))

    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [3, 1]


def test_a_job_without_vectors_says_so() -> None:
    with pytest.raises(InvalidRequest, match="no embeddings"):
        exported("embeddings", findings(vectors=()))


def test_vectors_of_two_lengths_fit_no_table() -> None:
    other = replace(VECTORS[1], vector=np.array([1, 0], np.float32), dimensions=2)

    with pytest.raises(InvalidRequest, match="jsonl"):
        exported("embeddings", findings(vectors=(VECTORS[0], other)))


def test_names_are_a_table_that_runs_nothing() -> None:
    rows = list(csv.DictReader(io.StringIO(exported("classes").decode(), newline="")))

    assert [(row["of"], row["rank"], row["label"]) for row in rows] == [
        ("image", "1", "'=street"),
        ("image", "2", "yard"),
        ("frame", "1", "'=street"),
        ("frame", "1", "yard"),
        ("clip", "1", "walk"),
        ("clip", "2", "run"),
        ("clip", "1", "walk"),
    ]
    assert (rows[0]["first_frame"], rows[4]["frame_index"]) == ("", "")
    assert (rows[4]["from_seconds"], rows[4]["to_seconds"]) == ("-0.1", "0.15")
    assert rows[0]["score"] == "0.9"


@pytest.mark.parametrize("name", ["coco", "csv", "parquet", "yolo", "cvat"])
def test_formats_without_a_place_for_them_read_neither(name: str) -> None:
    def unread(_of: object) -> Any:
        raise AssertionError("read for nothing")

    file = io.BytesIO()
    made = replace(findings(), embeddings=unread, classifications=unread, clips=unread)

    export_format(name).write(made, file)

    assert file.getvalue()
