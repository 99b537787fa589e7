"""`vision batch` without a server, with videos among the pictures."""

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from subprocess import Popen
from typing import Any

import av
import numpy as np
import pytest
from batch_state import rows
from console import Batch, Ended, Workplace, start, wait_for
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
LONG_FRAMES = 96
CHUNK_FRAMES = "8"


@pytest.fixture(scope="module")
def mixed(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """A whole clip, a cut one, a picture, a text that calls itself a video, and a text."""
    folder = tmp_path_factory.mktemp("mixed")
    make_clip(folder / "clip.mp4", frames=FRAMES)
    make_truncated_clip(folder / "torn.mp4", frames=FRAMES)
    make_text_named_mp4(folder / "diary.mp4")
    (folder / "yard.jpg").write_bytes(YARD.read_bytes())
    (folder / "notes.txt").write_text("neither")
    ended = send(workplace, folder)
    assert "Traceback" not in ended.err, ended.err
    return Batch(ended, folder, folder / "out")


def send(workplace: Workplace, folder: Path) -> Ended:
    options = ("-p", "demo", "-o", folder / "out", "--annotate")
    return workplace.run("batch", folder, *options, VISION_CHUNK_FRAMES=CHUNK_FRAMES)


def test_every_file_has_a_line_and_ends_in_its_own_way(mixed: Batch) -> None:
    assert mixed.ended.code == 3, mixed.ended.err
    assert {line["filename"]: line["state"] for line in mixed.lines} == {
        "clip.mp4": "done",
        "diary.mp4": "failed",
        "torn.mp4": "partial",
        "yard.jpg": "done",
    }
    assert mixed.line("diary.mp4")["error"]["code"] == "unsupported_type"
    assert mixed.line("yard.jpg")["detections"]


def test_a_video_says_what_it_is_and_how_many_frames_were_analysed(mixed: Batch) -> None:
    clip = mixed.line("clip.mp4")

    assert (clip["frames_decoded"], clip["frames_declared"]) == (FRAMES, FRAMES)
    assert clip["warnings"] == []
    assert clip["media"]["kind"] == "video"
    assert (clip["media"]["width"], clip["media"]["height"]) == (WIDTH, HEIGHT)
    assert (clip["media"]["container"], clip["media"]["codec"]) == ("mp4", "h264")
    assert clip["media"]["duration_seconds"] == pytest.approx(FRAMES / FPS)
    assert clip["provenance"]["stages"][0]["model"] == "demo_maskrcnn"


def test_a_cut_video_is_partial_and_is_named_with_both_numbers(mixed: Batch) -> None:
    torn = mixed.line("torn.mp4")
    numbers = (torn["frames_decoded"], torn["frames_declared"])

    assert 0 < numbers[0] < numbers[1] == FRAMES
    assert torn["warnings"]
    assert [one["file"] for one in mixed.summary["partial"]] == ["torn.mp4"]
    assert f"torn.mp4: {numbers[0]} of {FRAMES} frames were analysed" in mixed.ended.err


def test_detections_of_a_video_stand_in_a_file_of_their_own_in_order_of_time(mixed: Batch) -> None:
    found = mixed.detections_of("clip.mp4")
    clip = mixed.line("clip.mp4")

    assert clip["detections"] is None
    assert clip["detections_file"] == "detections/clip.mp4.detections.jsonl"
    assert len(found) == sum(clip["counts"].values())
    assert {one["frame_index"] for one in found} == set(range(FRAMES))
    assert all(one["pts_seconds"] == one["frame_index"] / FPS for one in found)
    assert all(one["pts_seconds"] <= next_["pts_seconds"] for one, next_ in pairwise(found))
    assert found[0]["mask"]["size"] == [HEIGHT, WIDTH]


def test_tracks_are_what_the_detections_say(mixed: Batch) -> None:
    found = mixed.detections_of("clip.mp4")
    tracks = {track["track_id"]: track for track in mixed.line("clip.mp4")["tracks"]}
    followed = [one for one in found if one["track_id"] is not None]

    assert {one["track_id"] for one in followed} == set(tracks)
    for track_id, track in tracks.items():
        mine = [one for one in followed if one["track_id"] == track_id]
        assert track["detections"] == len(mine)
        assert {one["label"] for one in mine} == {track["label"]}
        assert (track["first_seconds"], track["last_seconds"]) == (
            mine[0]["pts_seconds"],
            mine[-1]["pts_seconds"],
        )


def test_the_summary_counts_videos_apart(mixed: Batch) -> None:
    summary, lines = mixed.summary, mixed.lines
    videos = [line for line in lines if line["detections"] is None]

    assert summary["state"] == "partial"
    assert summary["files"] == {
        "total": 4,
        "done": 2,
        "partial": 1,
        "failed": 1,
        "reused": 0,
        "skipped": {".txt": 1},
    }
    assert summary["videos"] == {
        "files": 2,
        "frames": sum(line["frames_decoded"] for line in videos),
        "tracks": sum(len(line["tracks"]) for line in videos),
    }
    assert summary["detections"] == sum(sum(line["counts"].values()) for line in lines)
    assert summary["annotated"] == {"pictures": 1, "videos": 2, "errors": []}


def test_annotated_videos_play_and_show_every_frame_drawn(mixed: Batch) -> None:
    path = mixed.out / "annotated" / "clip.mp4"
    drawn, original = seen(path), seen(mixed.folder / "clip.mp4")

    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "vp9"
    assert len(drawn) == FRAMES
    assert path.stat().st_mode == (mixed.out / "results.jsonl").stat().st_mode
    for new, old in zip(drawn, original, strict=True):
        assert new.shape == old.shape
        assert np.abs(new.astype(int) - old).max() > 50
    assert (
        len(seen(mixed.out / "annotated" / "torn.mp4")) == mixed.line("torn.mp4")["frames_decoded"]
    )


def test_a_second_run_repeats_nothing_and_says_the_same(mixed: Batch, workplace: Workplace) -> None:
    drawn = mixed.out / "annotated" / "clip.mp4"
    before = (mixed.lines, mixed.detections_of("torn.mp4"), drawn.stat().st_mtime_ns)

    again = send(workplace, mixed.folder)

    assert again.code == 3
    assert (mixed.lines, mixed.detections_of("torn.mp4"), drawn.stat().st_mtime_ns) == before
    assert mixed.summary["files"]["reused"] == 3
    assert mixed.summary["timings"]["frames_per_second"] == 0
    assert {attempt for _, attempt in units(mixed.out).values()} == {1}


def test_a_batch_killed_inside_a_video_goes_on_with_the_chunks_that_were_done(
    workplace: Workplace, tmp_path: Path
) -> None:
    make_clip(tmp_path / "in" / "long.mp4", frames=LONG_FRAMES)
    with running(workplace, tmp_path) as process:
        wait_for(lambda: len(done_chunks(tmp_path / "out")) >= 2)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = done_chunks(tmp_path / "out")

    ended = workplace.run(*arguments(tmp_path), VISION_CHUNK_FRAMES=CHUNK_FRAMES)

    after = done_chunks(tmp_path / "out")
    assert ended.code == 0, ended.err
    assert 2 <= len(before) < len(after) == LONG_FRAMES // int(CHUNK_FRAMES)
    assert {key: after[key] for key in before} == before
    assert set(before.values()) == {1}
    batch = Batch(ended, tmp_path / "in", tmp_path / "out")
    assert batch.line("long.mp4")["frames_decoded"] == LONG_FRAMES
    frames = {one["frame_index"] for one in batch.detections_of("long.mp4")}
    assert frames == set(range(LONG_FRAMES))


def test_chunks_that_were_given_up_are_tried_once_more_and_no_others(
    workplace: Workplace, tmp_path: Path
) -> None:
    make_clip(tmp_path / "in" / "clip.mp4", frames=FRAMES)
    send(workplace, tmp_path / "in")
    out = tmp_path / "in" / "out"
    give_up_last_chunk(out, frames=FRAMES // 2)

    ended = send(workplace, tmp_path / "in")

    batch = Batch(ended, tmp_path / "in", out)
    assert ended.code == 0, ended.err
    assert done_chunks(out) == {1: 1, 2: 2}
    assert batch.line("clip.mp4")["frames_decoded"] == FRAMES
    assert batch.summary["timings"]["frames_per_second"] > 0


def test_ctrl_c_inside_a_video_ends_cleanly(workplace: Workplace, tmp_path: Path) -> None:
    make_clip(tmp_path / "in" / "long.mp4", frames=LONG_FRAMES)

    with running(workplace, tmp_path) as process:
        wait_for(lambda: len(done_chunks(tmp_path / "out")) >= 1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)

    assert process.returncode == 130
    assert b"run the same command again" in errors
    assert b"Traceback" not in errors
    assert rows(tmp_path / "out", "select 1 from units where state = 'leased'") == []


def test_sampling_is_followed(workplace: Workplace, tmp_path: Path) -> None:
    make_clip(tmp_path / "in" / "clip.mp4", frames=FRAMES)
    pipeline = tmp_path / "slow.json"
    document: dict[str, Any] = {"detect": {"model": "yard"}, "sample": {"every_seconds": 1}}
    pipeline.write_text(json.dumps(document))

    ended = workplace.run("batch", tmp_path / "in", "-p", pipeline, "-o", tmp_path / "out")

    line = Batch(ended, tmp_path, tmp_path / "out").line("clip.mp4")
    assert ended.code == 0, ended.err
    assert line["frames_decoded"] == line["frames_declared"] == FRAMES // FPS
    assert line["tracks"] == []


def give_up_last_chunk(out: Path, *, frames: int) -> None:
    """As three deaths of the process in the midst of it leave it."""
    script = f"""
        delete from detections where chunk = 2;
        delete from chunk_frames where chunk = 2;
        update units set state = 'quarantined', error_code = 'worker_lost' where chunk = 2;
        update items set state = 'partial', frames_done = {frames}, warnings = '["gone"]';
        update jobs set state = 'partial', items_partial = 1, frames_done = {frames};
    """
    with closing(sqlite3.connect(out / ".vision" / "state.sqlite")) as database:
        database.executescript(script)


def arguments(folder: Path) -> tuple[object, ...]:
    return ("batch", folder / "in", "-p", "demo", "-o", folder / "out")


@contextmanager
def running(workplace: Workplace, folder: Path) -> Iterator[Popen[bytes]]:
    models = str(workplace.models_dir)
    settings = {"VISION_MODELS_DIR": models, "VISION_CHUNK_FRAMES": CHUNK_FRAMES}
    process = start(*arguments(folder), **settings)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def units(out: Path) -> dict[object, tuple[object, object]]:
    """State and attempts of every unit."""
    found = rows(out, "select job_id, item, chunk, state, attempt from units")
    return {row[:3]: (row[3], row[4]) for row in found}


def done_chunks(out: Path) -> dict[object, object]:
    """Attempts of the chunks of frames that are stored."""
    query = "select chunk, attempt from units where kind = 'chunk' and state = 'done'"
    return {row[0]: row[1] for row in rows(out, query)}
