"""`vision analyze`: one video."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from console import Ended, Workplace
from yard_clips import FPS, HEIGHT, WIDTH, make_clip, make_text_named_mp4, make_truncated_clip, seen

FRAMES = 12


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "in" / "clip.mp4", frames=FRAMES)


def analyze(workplace: Workplace, file: Path, *options: object, cwd: Path) -> Ended:
    return workplace.run("analyze", file, "-p", "demo", *options, cwd=cwd, VISION_CHUNK_FRAMES="4")


def test_people_get_a_table_of_tracks_and_counts(
    workplace: Workplace, clip: Path, tmp_path: Path
) -> None:
    ended = analyze(workplace, clip, cwd=tmp_path)
    lines = ended.out.splitlines()

    assert ended.code == 0, ended.err
    assert lines[0].split() == [
        "track",
        "label",
        "first",
        "s",
        "last",
        "s",
        "detections",
        "best",
        "score",
    ]
    assert lines[1].split()[0] == "1"
    assert f"in {FRAMES} frames" in lines[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_annotate_writes_a_video_that_plays(
    workplace: Workplace, clip: Path, tmp_path: Path
) -> None:
    ended = analyze(workplace, clip, "--annotate", cwd=tmp_path)
    drawn, original = seen(tmp_path / "clip.annotated.mp4"), seen(clip)

    assert ended.code == 0, ended.err
    assert "video: clip.annotated.mp4" in ended.out
    assert len(drawn) == FRAMES
    assert all(frame.shape == (HEIGHT, WIDTH, 3) for frame in drawn)
    assert np.abs(drawn[0].astype(int) - original[0]).max() > 50
    with av.open(str(tmp_path / "clip.annotated.mp4")) as container:
        times = [float(frame.time or 0) for frame in container.decode(video=0)]
    assert times == pytest.approx([index / FPS for index in range(FRAMES)])


def test_json_says_everything_of_every_frame(
    workplace: Workplace, clip: Path, tmp_path: Path
) -> None:
    ended = analyze(workplace, clip, "--json", "--out", tmp_path / "drawn.mp4", cwd=tmp_path)
    result = json.loads(ended.out)
    items = result["items"]

    assert ended.code == 0, ended.err
    assert result["state"] == "done"
    assert (result["frames_decoded"], result["frames_declared"]) == (FRAMES, FRAMES)
    assert {item["frame_index"] for item in items} == set(range(FRAMES))
    assert len(items) == sum(result["counts"].values())
    assert items[0]["mask"]["size"] == [HEIGHT, WIDTH]
    assert {item["track_id"] for item in items} - {None} == {
        track["track_id"] for track in result["tracks"]
    }
    assert len(seen(tmp_path / "drawn.mp4")) == FRAMES


def test_a_cut_video_ends_with_3_and_says_both_numbers(
    workplace: Workplace, tmp_path: Path
) -> None:
    torn = make_truncated_clip(tmp_path / "torn.mp4", frames=FRAMES)

    ended = analyze(workplace, torn, cwd=tmp_path)

    assert ended.code == 3
    assert f"of {FRAMES} frames" in ended.out
    assert f"of {FRAMES} frames were analysed" in ended.err


def test_a_text_named_as_a_video_is_one_sentence(workplace: Workplace, tmp_path: Path) -> None:
    diary = make_text_named_mp4(tmp_path / "diary.mp4")

    ended = analyze(workplace, diary, "--annotate", cwd=tmp_path)

    assert ended.code == 1
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "diary.annotated.mp4").exists()


def test_a_video_without_a_frame_is_one_sentence(workplace: Workplace, tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", frames=FRAMES).read_bytes()
    hollow = tmp_path / "hollow.mp4"
    hollow.write_bytes(whole[: whole.index(b"mdat") + 4])

    ended = analyze(workplace, hollow, cwd=tmp_path)

    assert ended.code == 1
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1


def test_an_annotated_video_is_an_mp4(workplace: Workplace, clip: Path, tmp_path: Path) -> None:
    ended = analyze(workplace, clip, "--out", tmp_path / "drawn.avi", cwd=tmp_path)

    assert ended.code == 2
    assert "MP4" in ended.err
