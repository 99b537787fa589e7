"""How the demo judges what was followed through its film."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from samples.demo import FILM
from samples.demo_film import FilmResult, missing
from samples.demo_film_truth import FilmComparison, compared
from samples.filming.truth import FilmTruth, TrueBox, read_truth

FRAMES = 10
THIRD = 1 / 3
"""As a service says it; the truth's file has six digits."""


def true_box(frame: int, track: int, *, is_ignored: bool = False) -> TrueBox:
    left = 100.0 * track + frame
    return TrueBox(
        pts_seconds=round(frame * THIRD, 6),
        track=track,
        object=track,
        label="car",
        box=(left, 20.0, left + 50, 60.0),
        visible_share=1.0,
        is_ignored=is_ignored,
    )


@pytest.fixture
def truth() -> FilmTruth:
    """A car, and one that is hidden in the second half."""
    seconds = tuple(round(frame * THIRD, 6) for frame in range(FRAMES))
    boxes = [
        true_box(frame, track, is_ignored=track == 2 and frame >= FRAMES / 2)
        for frame in range(FRAMES)
        for track in (1, 2)
    ]
    return FilmTruth("cars.mp4", width=400, height=100, seconds=seconds, boxes=tuple(boxes))


def detection(frame: int, place: int, **changes: Any) -> dict[str, Any]:
    found = {
        "pts_seconds": frame * THIRD,
        "box": list(true_box(frame, place).box),
        "label": "car",
        "score": 0.9,
        "track_id": place,
    }
    return found | changes


def followed(comparison: FilmComparison) -> list[float]:
    return [one.followed for one in comparison.objects]


def test_what_keeps_its_track_is_well_followed(truth: FilmTruth) -> None:
    found = [detection(frame, 1) for frame in range(FRAMES)]

    comparison = compared(truth, found)

    assert followed(comparison) == [1.0, 0.0]
    assert (comparison.well_followed, comparison.others) == (1, 0)
    assert "1 of the 2 objects" in str(comparison)
    assert "10 of their 15 boxes" in str(comparison)


def test_a_track_that_changes_its_number_is_followed_by_the_longer_part(truth: FilmTruth) -> None:
    found = [detection(frame, 1, track_id=1 + (frame >= 6)) for frame in range(FRAMES)]

    comparison = compared(truth, found)

    assert followed(comparison)[0] == 0.6
    assert comparison.objects[0].found == FRAMES
    assert comparison.well_followed == 0


def test_a_find_of_no_track_is_found_and_not_followed(truth: FilmTruth) -> None:
    comparison = compared(truth, [detection(0, 1, track_id=None)])

    assert comparison.objects[0].found == 1
    assert followed(comparison)[0] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(detection(0, 3), id="elsewhere"),
        pytest.param(detection(0, 1, label="dog"), id="other label"),
        pytest.param(detection(0, 1, pts_seconds=0.1), id="between frames"),
        pytest.param(detection(0, 1, score=0.5), id="second find of one object"),
    ],
)
def test_a_find_of_something_else_is_wrong(truth: FilmTruth, wrong: dict[str, Any]) -> None:
    comparison = compared(truth, [detection(0, 1), wrong])

    assert (comparison.objects[0].found, comparison.others) == (1, 1)


def test_a_find_of_a_hidden_object_counts_neither_way(truth: FilmTruth) -> None:
    comparison = compared(truth, [detection(frame, 2) for frame in range(FRAMES)])

    assert (comparison.objects[1].frames, comparison.objects[1].found) == (5, 5)
    assert comparison.others == 0


def result(truth: FilmTruth, **changes: Any) -> FilmResult:
    found = [detection(frame, 1) for frame in range(FRAMES)]
    item = {"error": None, "frames_decoded": FRAMES, "filename": truth.file_name}
    return replace(FilmResult(item, found, tracks=[{}], annotated=Path("cars.mp4")), **changes)


def test_nothing_is_missing_of_a_film_that_was_followed_and_drawn(truth: FilmTruth) -> None:
    assert not list(missing(result(truth), truth))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"annotated": None}, "annotated film", id="not drawn"),
        pytest.param({"detections": []}, "no object is followed", id="nothing found"),
        pytest.param(
            {"item": {"error": None, "frames_decoded": 9}}, "9 of 10 frames", id="frames lost"
        ),
        pytest.param(
            {"item": {"error": {"code": "corrupt_media", "detail": "no"}}},
            "corrupt_media: no",
            id="failed",
        ),
    ],
)
def test_the_demo_names_what_is_missing(
    truth: FilmTruth, changes: dict[str, Any], words: str
) -> None:
    (problem,) = missing(result(truth, **changes), truth)

    assert problem.startswith("cars.mp4: ")
    assert words in problem


def test_the_demos_film_has_as_many_frames_as_its_truth() -> None:
    truth = read_truth(FILM.with_suffix(".json"))

    with av.open(FILM) as video:
        assert video.streams.video[0].frames == len(truth.seconds)
