"""Things are measured in turn, by the clock and by the processor."""

import time
from functools import partial

from vision.cli.bench.measure import interleaved, spent_by, spent_in_turn


def test_candidates_run_in_turn_in_every_round() -> None:
    order: list[str] = []

    spent = spent_in_turn({name: partial(order.append, name) for name in "ab"}, rounds=2)

    assert order == ["a", "b", "a", "b"]
    assert list(spent) == ["a", "b"]


def test_the_first_round_of_interleaved_is_not_measured() -> None:
    sleeps = iter([0.2, 0.0])

    seconds = interleaved({"sleeper": lambda: time.sleep(next(sleeps))}, rounds=1)

    assert seconds["sleeper"] < 0.2


def test_sleep_takes_time_and_no_processor() -> None:
    spent = spent_by(lambda: time.sleep(0.1))

    assert spent.wall_seconds >= 0.1 > spent.cpu_seconds


def test_work_takes_the_processor() -> None:
    def work() -> None:
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass

    assert spent_by(work).cpu_seconds >= 0.05
