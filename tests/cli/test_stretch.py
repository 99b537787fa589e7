"""How much of a video there is to analyse, by its header."""

import pytest

from vision.cli.batch.stretch import seconds_to_analyze


def following(*moments: float | None, **stage: object) -> dict[str, object]:
    objects = [{"id": number, "at_seconds": one} for number, one in enumerate(moments, start=1)]
    return {"follow": {"objects": objects, **stage}}


@pytest.mark.parametrize(
    ("duration", "pipeline", "start", "expected"),
    [
        pytest.param(10.0, {}, 0.0, 10.0, id="all of it"),
        pytest.param(None, {}, 0.0, 0.0, id="header says nothing"),
        pytest.param(10.0, "demo", 0.0, 10.0, id="pipeline by name"),
        pytest.param(10.0, {"sample": {"start_seconds": 4}}, 0.0, 6.0, id="from a moment on"),
        pytest.param(10.0, {"sample": {"end_seconds": 4}}, 0.0, 4.0, id="up to a moment"),
        pytest.param(10.0, {"sample": {"end_seconds": 104}}, 100.0, 4.0, id="clock begins at 100"),
        pytest.param(10.0, {"sample": {"start_seconds": 50}}, 0.0, 0.0, id="after its end"),
        pytest.param(10.0, {"sample": "all"}, 0.0, 10.0, id="for the server to refuse"),
        pytest.param(10.0, following(7, 4), 0.0, 6.0, id="followed from the first prompt"),
        pytest.param(10.0, following(None, 4), 2.0, 10.0, id="followed from the first frame"),
        pytest.param(
            10.0, following(4, 7, direction="backward"), 0.0, 7.0, id="back from the last"
        ),
        pytest.param(10.0, following(4, direction="both"), 0.0, 10.0, id="followed both ways"),
        pytest.param(10.0, {"follow": {"text": ["dog"]}}, 0.0, 10.0, id="followed by words"),
        pytest.param(10.0, {"follow": {"seed_seconds": 8}}, 0.0, 2.0, id="followed from a seed"),
        pytest.param(10.0, {"follow": {"objects": "all"}}, 0.0, 10.0, id="no objects"),
    ],
)
def test_the_wanted_stretch_is_what_counts(
    duration: float | None, pipeline: object, start: float, expected: float
) -> None:
    assert seconds_to_analyze(duration, pipeline, start_seconds=start) == expected
