"""The shipped films: what they are made of, their times, and that the truth is true."""

import json
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from numpy.typing import NDArray

from samples.filming.film import FilmFrame
from samples.filming.scripts import CROSSING, IRREGULAR, SCRIPTS, TURNED, Script
from samples.filming.truth import FilmTruth, read_truth, write_truth
from samples.render import VIDEO_FOLDER, write_film
from samples.scenes.objects import KINDS

MOST_BYTES = 1_000_000
CODEC_DIFFERENCE = 6.0
"""Mean absolute difference of pixels that an encoder may make."""
WATCHED = (0, 40, 80, 120)
"""Frames that are painted again."""
MICROSECOND = 1e-6

each_film = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.file_name)


@cache
def truth_of(script: Script) -> FilmTruth:
    return read_truth((VIDEO_FOLDER / script.file_name).with_suffix(".json"))


@cache
def painted(script: Script) -> dict[int, FilmFrame]:
    film = script.film()
    return {index: film.frame(index, script.seconds[index]) for index in WATCHED}


@cache
def decoded(script: Script) -> tuple[list[float], list[str], dict[int, NDArray[np.uint8]]]:
    """Times, kinds of frame, and the watched frames, turned upright."""
    seconds, kinds, images = [], [], {}
    with av.open(VIDEO_FOLDER / script.file_name) as video:
        for index, frame in enumerate(video.decode(video=0)):
            seconds.append(frame.time)
            kinds.append(PictureType(frame.pict_type).name)
            if index in WATCHED:
                images[index] = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
    return seconds, kinds, images


def test_the_folder_holds_the_listed_films_with_their_truth_and_is_small() -> None:
    files = sorted(path.name for path in VIDEO_FOLDER.iterdir())
    films = [script.file_name for script in SCRIPTS]

    assert files == sorted([*films, *(Path(name).stem + ".json" for name in films)])
    assert sum(path.stat().st_size for path in VIDEO_FOLDER.iterdir()) < MOST_BYTES


@each_film
def test_frames_are_shown_at_the_times_of_the_truth(script: Script) -> None:
    seconds, _, _ = decoded(script)

    assert len(seconds) == len(truth_of(script).seconds)
    assert np.allclose(seconds, truth_of(script).seconds, rtol=0, atol=MICROSECOND)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
@each_film
def test_ffprobe_says_the_same_times(script: Script) -> None:
    words = ["ffprobe", "-v", "error", "-of", "json", "-show_entries"]
    asked = [*words, "frame=best_effort_timestamp_time", VIDEO_FOLDER / script.file_name]
    said = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)["frames"]

    times = [float(frame["best_effort_timestamp_time"]) for frame in said]
    assert np.allclose(times, truth_of(script).seconds, rtol=0, atol=MICROSECOND)


def test_one_film_has_b_frames() -> None:
    assert "B" in decoded(CROSSING)[1]


def test_one_film_has_no_frame_rate() -> None:
    gaps = np.diff(decoded(IRREGULAR)[0])

    assert gaps.max() > 5 * gaps.min()
    assert len(np.unique(np.round(gaps, 3))) > 20


def test_one_film_is_stored_lying_on_its_side() -> None:
    with av.open(VIDEO_FOLDER / TURNED.file_name) as video:
        stream = video.streams.video[0]
        frame = next(video.decode(stream))

        assert (stream.width, stream.height) == (TURNED.height, TURNED.width)
        assert frame.rotation == -90


@each_film
def test_frames_look_upright_like_those_that_are_painted_again(script: Script) -> None:
    _, _, shipped = decoded(script)

    for index, frame in painted(script).items():
        assert shipped[index].shape == (script.height, script.width, 3)
        difference = np.abs(shipped[index].astype(np.int16) - frame.scene.image)
        assert difference.mean() < CODEC_DIFFERENCE


@each_film
def test_true_boxes_are_tight_around_the_objects(script: Script) -> None:
    for index, frame in painted(script).items():
        instances = frame.scene.instances
        rows = dict(truth_of(script).by_frame())[truth_of(script).seconds[index]]

        assert {row.object for row in rows} == set(np.unique(instances)) - {0}
        for row in rows:
            x1, y1, x2, y2 = (int(side) for side in row.box)
            mask = instances == row.object
            inside = mask[y1:y2, x1:x2]
            assert inside.sum() == mask.sum()
            assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
            kind = KINDS[frame.scene.class_ids[row.object - 1] - 1]
            assert row.label == kind.label


def test_all_kinds_of_object_appear() -> None:
    shown = {box.label for script in SCRIPTS for box in truth_of(script).boxes}

    assert shown == {kind.label for kind in KINDS}


@each_film
def test_one_object_leaves_and_comes_back_as_another_track(script: Script) -> None:
    visits: dict[int, dict[int, list[float]]] = {}
    for box in truth_of(script).boxes:
        visits.setdefault(box.object, {}).setdefault(box.track, []).append(box.pts_seconds)

    (twice,) = (tracks for tracks in visits.values() if len(tracks) > 1)
    first, second = (twice[track] for track in sorted(twice))
    assert first[-1] + 1 < second[0]


def test_an_object_hidden_behind_another_stays_the_same_track() -> None:
    rows = [box for box in truth_of(TURNED).boxes if box.label == "ball" and box.pts_seconds > 7.0]
    inside = [row for row in rows if row.box[0] > 0 and row.box[2] < TURNED.width]

    assert min(row.visible_share for row in inside) < 0.3
    assert any(row.is_ignored for row in inside)
    assert len({row.track for row in rows}) == 1


@each_film
def test_standing_objects_stand_still(script: Script) -> None:
    still = [number for number, part in enumerate(script.parts, 1) if len(part.route) == 1]

    assert still
    for number in still:
        boxes = {
            row.box
            for row in truth_of(script).boxes
            if row.object == number and row.visible_share == 1.0
        }
        assert len(boxes) == 1


@each_film
def test_nothing_jumps(script: Script) -> None:
    whole: dict[int, list[tuple[float, float, float]]] = {}
    for row in truth_of(script).boxes:
        if row.visible_share > 0.99:
            middle, foot = (row.box[0] + row.box[2]) / 2, row.box[3]
            whole.setdefault(row.track, []).append((row.pts_seconds, middle, foot))

    for seen in whole.values():
        steps = np.diff(np.array(seen), axis=0)
        near = steps[:, 0] < 0.15
        # A hopping ball is the fastest; a frame's step is that and a pixel for rounding.
        assert np.all(np.abs(steps[near, 1:]).max(1) <= 420 * steps[near, 0] + 6)


def test_a_film_made_again_has_the_same_bytes_and_the_same_truth(tmp_path: Path) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    for folder in (first, again):
        folder.mkdir()
        write_film(folder, shortened(TURNED, frames=20))

    name = TURNED.file_name
    assert (first / name).read_bytes() == (again / name).read_bytes()
    made = read_truth((first / name).with_suffix(".json"))
    shipped = [box for box in truth_of(TURNED).boxes if box.pts_seconds in made.seconds]
    assert list(made.boxes) == shipped


def shortened(script: Script, *, frames: int) -> Script:
    return replace(script, pts=script.pts[:frames])


def test_truth_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_truth(tmp_path / "truth.json", truth_of(TURNED))

    assert read_truth(tmp_path / "truth.json") == truth_of(TURNED)
