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
    sample = _stage(pipeline, "sample")
    begin, end = start_seconds, start_seconds + duration_seconds
    first = max(begin, _number(sample.get("start_seconds"), begin))
    last = min(end, _number(sample.get("end_seconds"), end))
    first, last = _followed(_stage(pipeline, "follow"), first, last)
    return max(0.0, last - first)


def _followed(stage: Mapping[str, Any], first: float, last: float) -> tuple[float, float]:
    """Of that stretch, what lies on the side of the prompts to which objects are followed."""
    objects = stage.get("objects")
    prompts = [one for one in objects if isinstance(one, Mapping)] if objects else [stage]
    times = [_number(one.get("at_seconds", one.get("seed_seconds")), first) for one in prompts]
    direction = stage.get("direction", "forward")
    if not times or stage.get("text") or direction not in ("forward", "backward"):
        return first, last
    return (max(first, min(times)), last) if direction == "forward" else (first, max(times))


def _stage(pipeline: object, name: str) -> Mapping[str, Any]:
    stage = pipeline.get(name) if isinstance(pipeline, Mapping) else None
    return stage if isinstance(stage, Mapping) else {}


def _number(value: object, otherwise: float) -> float:
    """What is no number is the server's to refuse."""
    return float(value) if isinstance(value, int | float) else otherwise
