"""`vision batch` without a server: what it writes, and how it goes on after an interruption."""

import fcntl
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import numpy as np
import pytest
from batch_state import rows
from console import Batch, Workplace, make_picture, start, wait_for
from PIL import Image
from pycocotools import mask as coco

PICTURES = 12
PATIENCE_SECONDS = 120


def test_bad_files_among_good_ones_end_with_3(batch: Batch) -> None:
    assert batch.ended.code == 3


def test_every_file_has_one_line_in_the_order_of_names(batch: Batch) -> None:
    assert [line["filename"] for line in batch.lines] == [
        "deep/double.jpg",
        "deep/empty ö.png",
        "diary.jpg",
        "torn.jpg",
        "yard-1.jpg",
        "yard-2.jpg",
    ]


def test_bad_files_are_named_with_code_and_reason(batch: Batch) -> None:
    errors = {error["file"]: error for error in batch.summary["errors"]}

    assert errors["torn.jpg"]["code"] == "image_truncated"
    assert errors["diary.jpg"]["code"] == "unsupported_type"
    assert all(error["detail"] for error in errors.values())
    assert {line["filename"] for line in batch.lines if line["error"]} == set(errors)


def test_a_result_has_boxes_masks_scores_and_provenance(batch: Batch) -> None:
    yard = next(line for line in batch.lines if line["filename"] == "yard-1.jpg")
    found = yard["detections"][0]
    size = [yard["media"]["height"], yard["media"]["width"]]

    assert yard["state"] == "done"
    assert found["mask"]["size"] == size
    assert coco.decode(found["mask"]).shape == tuple(size)
    assert 0.5 <= found["score"] <= 1
    assert yard["provenance"]["stages"][0]["model"] == "yard"
    assert len(yard["provenance"]["stages"][0]["weights_sha256"]) == 64


def test_the_same_content_under_two_names_has_equal_results(batch: Batch) -> None:
    by_name = {line["filename"]: line for line in batch.lines}

    assert by_name["yard-1.jpg"]["detections"] == by_name["deep/double.jpg"]["detections"]
    assert by_name["yard-1.jpg"]["sha256"] == by_name["deep/double.jpg"]["sha256"]


def test_the_summary_counts_what_the_lines_say(batch: Batch) -> None:
    summary, lines = batch.summary, batch.lines
    labels = [found["label"] for line in lines for found in line["detections"]]

    assert summary["state"] == "partial"
    assert summary["files"] == {
        "total": 6,
        "done": 4,
        "partial": 0,
        "failed": 2,
        "reused": 1,
        "skipped": {".txt": 1},
    }
    assert summary["detections"] == len(labels)
    assert summary["labels"] == {label: labels.count(label) for label in set(labels)}
    assert summary["timings"]["seconds"] > 0
    assert summary["models"][0]["name"] == "yard"


def test_json_on_standard_output_is_the_summary(batch: Batch) -> None:
    assert json.loads(batch.ended.out) == batch.summary


def test_annotated_pictures_stand_under_the_files_own_names(batch: Batch) -> None:
    folder = batch.out / "annotated"
    drawn = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))

    assert drawn == ["deep/double.jpg", "deep/empty ö.jpg", "yard-1.jpg", "yard-2.jpg"]
    with (
        Image.open(folder / "yard-1.jpg") as picture,
        Image.open(batch.folder / "yard-1.jpg") as of,
    ):
        assert picture.size == of.size
        assert np.abs(np.asarray(picture, int) - np.asarray(of.convert("RGB"), int)).max() > 50


def test_pictures_are_not_copied(batch: Batch) -> None:
    assert [path for path in (batch.out / ".vision").rglob("*") if path.suffix == ".jpg"] == []


def test_a_second_run_repeats_nothing_and_says_the_same(batch: Batch, workplace: Workplace) -> None:
    before = batch.lines
    drawn = (batch.out / "annotated" / "yard-1.jpg").stat().st_mtime_ns
    options = ("--annotate", "--recursive")

    again = workplace.run(
        "batch", batch.folder, "-p", workplace.pipeline, "-o", batch.out, *options
    )

    assert again.code == 3
    assert batch.lines == before
    assert batch.summary["files"]["reused"] == 5
    assert (batch.out / "annotated" / "yard-1.jpg").stat().st_mtime_ns == drawn
    assert attempts(batch.out) == {1: 4}


def test_another_pipeline_in_the_same_folder_starts_anew(
    batch: Batch, workplace: Workplace, tmp_path: Path
) -> None:
    out = shutil.copytree(batch.out, tmp_path / "out")
    strict = tmp_path / "strict.json"
    strict.write_text(json.dumps({"detect": {"model": "yard", "min_score": 0.99}}))

    ended = workplace.run("batch", batch.folder / "yard-1.jpg", "-p", strict, "-o", out)

    strictly = Batch(ended, batch.folder, out)
    assert ended.code == 0
    assert strictly.summary["files"]["reused"] == 0
    assert strictly.summary["pipeline"]["detect"]["min_score"] == 0.99
    assert all(found["score"] >= 0.99 for found in strictly.lines[0]["detections"])


def test_a_batch_killed_in_the_middle_goes_on_without_repeating(
    workplace: Workplace, tmp_path: Path
) -> None:
    many_pictures(tmp_path / "in")
    with running(workplace, tmp_path) as process:
        wait_for_done(tmp_path / "out", at_least=3)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = stored(tmp_path / "out")

    ended = workplace.run(*arguments(workplace, tmp_path))

    after = stored(tmp_path / "out")
    assert ended.code == 0, ended.err
    assert 3 <= len(before) < PICTURES
    assert len(after) == PICTURES
    assert {asset: after[asset] for asset in before} == before
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == PICTURES
    assert f"{len(before)} needed no work" in ended.out


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(workplace: Workplace, tmp_path: Path) -> None:
    many_pictures(tmp_path / "in")

    with running(workplace, tmp_path) as process:
        wait_for_done(tmp_path / "out", at_least=1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 130
    assert b"run the same command again" in errors
    assert b"Traceback" not in errors
    assert leased(tmp_path / "out") == 0


def test_two_batches_never_write_to_one_folder(workplace: Workplace, tmp_path: Path) -> None:
    make_picture(tmp_path / "in" / "a.jpg")
    (tmp_path / "out" / ".vision").mkdir(parents=True)

    with (tmp_path / "out" / ".vision" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = workplace.run(*arguments(workplace, tmp_path))

    assert ended.code == 1
    assert "another batch is writing to" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_only_bad_files_end_with_1(workplace: Workplace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "empty.png").touch()

    ended = workplace.run(*arguments(workplace, tmp_path))

    assert ended.code == 1
    assert "empty.png" in ended.err
    assert "(empty_file)" in ended.err


def test_a_folder_without_pictures_says_so(workplace: Workplace, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    make_picture(tmp_path / "in" / "deep" / "a.jpg")

    ended = workplace.run(*arguments(workplace, tmp_path))

    assert ended.code == 1
    assert "--recursive" in ended.err


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        pytest.param("demmo", "no pipeline is named 'demmo'", id="unknown name"),
        pytest.param({"detect": {"model": "sam_vit_b"}}, "detect.model", id="wrong task"),
        pytest.param({"detect": {"modell": "yard"}}, "detect.modell", id="unknown key"),
        pytest.param([1, 2], "a pipeline is an object", id="no object"),
    ],
)
def test_a_wrong_pipeline_is_a_wrong_usage(
    workplace: Workplace, tmp_path: Path, pipeline: object, said: str
) -> None:
    make_picture(tmp_path / "in" / "a.jpg")
    (tmp_path / "p.json").write_text(json.dumps(pipeline))
    named = pipeline if isinstance(pipeline, str) else tmp_path / "p.json"

    ended = workplace.run("batch", tmp_path / "in", "-p", named, "-o", tmp_path / "out")

    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_missing_weights_are_one_sentence_naming_the_command(
    workplace: Workplace, tmp_path: Path
) -> None:
    make_picture(tmp_path / "in" / "a.jpg")

    ended = workplace.run("batch", tmp_path / "in", "-p", "everything", "-o", tmp_path / "out")

    assert ended.code == 1
    assert "vision models pull sam_vit_b" in ended.err
    assert len(ended.err.splitlines()) == 1


def many_pictures(folder: Path) -> None:
    for number in range(PICTURES):
        make_picture(folder / f"{number:02}.jpg", number=number)


def arguments(workplace: Workplace, folder: Path) -> tuple[object, ...]:
    return ("batch", folder / "in", "-p", workplace.pipeline, "-o", folder / "out")


@contextmanager
def running(workplace: Workplace, folder: Path) -> Iterator[Popen[bytes]]:
    process = start(*arguments(workplace, folder), VISION_MODELS_DIR=str(workplace.models_dir))
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for_done(out: Path, *, at_least: int) -> None:
    wait_for(lambda: len(stored(out)) >= at_least)


def stored(out: Path) -> dict[object, object]:
    """What is stored of each asset that is done: the ids of its detections and its attempt."""
    return {
        row[0]: row[1:]
        for row in rows(
            out,
            "select i.asset_id, u.attempt, (select group_concat(d.id) from detections d"
            " where d.job_id = i.job_id and d.item = i.item)"
            " from items i join units u on u.job_id = i.job_id and u.item = i.item"
            " where i.state = 'done'",
        )
    }


def leased(out: Path) -> int:
    return len(rows(out, "select 1 from units where state = 'leased'"))


def attempts(out: Path) -> dict[object, object]:
    """How many units were tried how often."""
    counted = rows(out, "select attempt, count(*) from units group by attempt")
    return {row[0]: row[1] for row in counted}
