"""What operators see: numbers of the queue, one JSON line per event."""

import json
import logging

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from workshop import Workshop, add_pictures, submit

from vision.engine.metrics import QueueCollector
from vision.logs import MAX_VALUE_LENGTH, JsonLines


def test_the_queue_is_counted_when_it_is_asked_for(workshop: Workshop) -> None:
    engine = workshop.engine
    registry = CollectorRegistry()
    registry.register(QueueCollector(engine.jobs))
    for asset in add_pictures(engine, 3):
        submit(engine, [asset], {"colour": {"of": str(asset)}})
    engine.units.claim("tester", lease_seconds=60)

    text = generate_latest(registry).decode()

    assert 'vision_units{state="ready"} 2.0' in text
    assert 'vision_units{state="leased"} 1.0' in text
    assert "vision_queue_depth 3.0" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(3, 3, id="number"),
        pytest.param(0.5, 0.5, id="fraction"),
        pytest.param("a\nb\x1b[31m", "a\nb\x1b[31m", id="control characters"),
        pytest.param("x" * 5000, "x" * MAX_VALUE_LENGTH + "…", id="too long"),
    ],
)
def test_a_field_comes_out_as_it_went_in_on_one_line(value: object, shown: object) -> None:
    record = logging.makeLogRecord({"msg": "unit committed", "levelname": "INFO", "field": value})

    line = JsonLines().format(record)

    assert "\n" not in line
    assert "\x1b" not in line
    assert json.loads(line)["field"] == shown
    assert json.loads(line)["event"] == "unit committed"
