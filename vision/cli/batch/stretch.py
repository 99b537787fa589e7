"""How much of a video a pipeline looks at, by the video's header: for the time left."""

from collections.abc import Mapping
from typing import Any


def seconds_to_analyze(
    duration_seconds: float | None, pipeline: object, *, start_seconds: float = 0.0
) -> float:
    """0 where the header says nothing; a named pipeline is taken to look at all of it.

    `start_seconds` is the time of the first frame.
    """
    if duration_seconds is None:
        return 0.0
    sample = _sample(pipeline)
    begin, end = start_seconds, start_seconds + duration_seconds
    first = max(begin, _number(sample.get("start_seconds"), begin))
    last = min(end, _number(sample.get("end_seconds"), end))
    return max(0.0, last - first)


def _sample(pipeline: object) -> Mapping[str, Any]:
    sample = pipeline.get("sample") if isinstance(pipeline, Mapping) else None
    return sample if isinstance(sample, Mapping) else {}


def _number(value: object, otherwise: float) -> float:
    """What is no number is the server's to refuse."""
    return float(value) if isinstance(value, int | float) else otherwise
