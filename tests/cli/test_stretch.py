"""How much of a video there is to analyse, by its header."""

import pytest

from vision.cli.batch.stretch import seconds_to_analyze


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
    ],
)
def test_the_wanted_stretch_is_what_counts(
    duration: float | None, pipeline: object, start: float, expected: float
) -> None:
    assert seconds_to_analyze(duration, pipeline, start_seconds=start) == expected
