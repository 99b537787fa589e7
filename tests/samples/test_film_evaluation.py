"""How films are judged, and that the product's own path reaches the floors."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from samples.evaluation.films import (
    FOLDER,
    LIMITS,
    analyzed,
    demo_pipeline,
    frames_of,
    shipped_films,
    tracked,
)
from samples.evaluation.tracking import (
    FilmFinds,
    FrameFinds,
    box_counts,
    microseconds,
    tracking_figures,
)
from samples.filming.truth import FilmTruth, TrueBox, read_truth
from vision.media.decode_process import DecodeProcess
from vision.pipelines.stages import TrackStage

FRAMES = 20
SHORT_FRAMES = 45
ROOT = Path(__file__).parents[2]

Change = Callable[[int, FrameFinds], FrameFinds]


def true_box(frame: int, track: int, **changes: object) -> TrueBox:
    left = 10.0 + 100 * track + frame
    row = TrueBox(
        pts_seconds=frame / 10,
        track=track,
        object=track,
        label="dog",
        box=(left, 20.0, left + 40, 80.0),
        visible_share=1.0,
        is_ignored=False,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def truth(*, ignored: bool = False) -> FilmTruth:
    """Two dogs; the second one may be ignored."""
    return FilmTruth(
        file_name="dogs.mp4",
        width=400,
        height=100,
        seconds=tuple(frame / 10 for frame in range(FRAMES)),
        boxes=tuple(
            true_box(frame, track, is_ignored=ignored and track == 2)
            for frame in range(FRAMES)
            for track in (1, 2)
        ),
    )


def perfect(frame: int, *, tracks: tuple[int, ...] = (1, 2)) -> FrameFinds:
    boxes = np.array([true_box(frame, track).box for track in tracks], np.float32)
    return FrameFinds(boxes, ("dog",) * len(tracks), np.array(tracks, np.int64))


def judged(true: FilmTruth, finds: Callable[[int], FrameFinds]) -> dict[str, float]:
    """The figures of the film by their last word."""
    frames = {microseconds(frame / 10): finds(frame) for frame in range(FRAMES)}
    figures = tracking_figures([FilmFinds(true, frames)])[:5]
    return {figure.name.split()[-1]: figure.value for figure in figures}


def test_perfect_finds_and_tracks_have_every_figure_at_its_best() -> None:
    expected = {"precision": 1, "recall": 1, "MOTA": 1, "IDF1": 1, "switches": 0}

    assert judged(truth(), perfect) == expected


def test_what_is_not_found_costs_recall_and_mota() -> None:
    figures = judged(truth(), lambda frame: perfect(frame, tracks=(1,)))

    assert (figures["precision"], figures["recall"], figures["MOTA"]) == (1, 0.5, 0.5)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda one: replace(one, labels=("dog", "cone")), id="other label"),
        pytest.param(
            lambda one: replace(one, boxes=np.add(one.boxes, [[0], [25]])), id="elsewhere"
        ),
    ],
)
def test_a_find_of_something_else_costs_precision_and_recall(
    change: Callable[[FrameFinds], FrameFinds],
) -> None:
    figures = judged(truth(), lambda frame: change(perfect(frame)))

    assert (figures["precision"], figures["recall"], figures["MOTA"]) == (0.5, 0.5, 0)


def test_finding_an_ignored_object_counts_as_little_as_missing_it() -> None:
    found = judged(truth(ignored=True), perfect)
    missed = judged(truth(ignored=True), lambda frame: perfect(frame, tracks=(1,)))

    assert found == missed
    assert found["precision"] == found["recall"] == found["MOTA"] == 1


def test_a_track_that_changes_its_number_costs_idf1_and_not_recall() -> None:
    def changing(frame: int) -> FrameFinds:
        finds = perfect(frame)
        return finds if frame < FRAMES / 2 else replace(finds, track_ids=np.array([1, 7]))

    figures = judged(truth(), changing)

    assert (figures["recall"], figures["switches"]) == (1, 1)
    assert figures["IDF1"] == pytest.approx(0.75)


def test_finds_without_a_track_count_as_found_and_not_as_followed() -> None:
    untracked = judged(truth(), lambda frame: replace(perfect(frame), track_ids=np.zeros(2, int)))

    assert (untracked["precision"], untracked["recall"]) == (1, 1)
    assert (untracked["MOTA"], untracked["IDF1"]) == (0, 0)


def test_frames_without_finds_count() -> None:
    film = FilmFinds(truth(), {0: perfect(0)})

    counts = box_counts(film)
    assert (counts.matched, counts.found, counts.true) == (2, 2, 2 * FRAMES)


def test_every_film_has_its_truth() -> None:
    paths = [path for path, _ in shipped_films()]

    assert len(paths) == 3
    assert all(path.exists() for path in paths)


def test_the_floors_are_reached_on_the_first_seconds_of_a_film() -> None:
    path = FOLDER / "yard-turned.mp4"
    whole = read_truth(path.with_suffix(".json"))
    seconds = whole.seconds[:SHORT_FRAMES]
    short = replace(
        whole,
        seconds=seconds,
        boxes=tuple(box for box in whole.boxes if box.pts_seconds in set(seconds)),
    )

    with DecodeProcess(LIMITS) as decoder:
        frames = islice(frames_of(path, decoder), SHORT_FRAMES)
        found = list(analyzed(frames, demo_pipeline()))
    figures = tracking_figures([FilmFinds(short, tracked(found, TrackStage()))])

    assert all(figure.is_reached for figure in figures), figures


@pytest.mark.slow
def test_the_evaluation_of_all_films_reaches_its_floors() -> None:
    asked = [sys.executable, "-m", "samples.evaluate", "--only", "films"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "OVERALL IDF1" in done.stdout
