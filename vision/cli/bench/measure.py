"""How things are measured: interleaved with their reference, median of several rounds."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report: ours against the reference, and whether the target is met."""

    name: str
    ours: str
    """With its unit."""
    reference: str
    """What it is compared with, with its figure; empty where there is nothing to compare."""
    ratio: float
    """The number that the target is about."""
    target: str
    """Such as ≥ 0.95 or ≤ 1.5; empty where none is set."""
    is_met: bool = True


def at_least(name: str, *, ours: str, reference: str, ratio: float, target: float) -> Figure:
    """More is better."""
    return Figure(name, ours, reference, ratio, f"≥ {target:g}", ratio >= target)


def at_most(name: str, *, ours: str, reference: str, ratio: float, target: float) -> Figure:
    """Less is better."""
    return Figure(name, ours, reference, ratio, f"≤ {target:g}", ratio <= target)


@dataclass(frozen=True, slots=True)
class Spent:
    """Of one call, or the medians of several."""

    wall_seconds: float
    cpu_seconds: float
    """Of this process, all its threads. On a machine with other guests a steadier measure of work
    on CPUs than the wall clock; it says nothing of work on a GPU."""


def interleaved(
    candidates: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS
) -> dict[str, float]:
    """Median wall seconds of each, all run in turn in every round, after one unmeasured round."""
    for run in candidates.values():
        run()
    spent = spent_in_turn(candidates, rounds=rounds)
    return {name: of_one.wall_seconds for name, of_one in spent.items()}


def spent_in_turn(
    candidates: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS
) -> dict[str, Spent]:
    """Medians of each, all run in turn in every round; what they do once they have done before.

    In turn, because a shared machine's speed drifts within seconds: what is measured minutes
    apart can't be compared.
    """
    spent: dict[str, list[Spent]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            spent[name].append(spent_by(run))
    return {name: _medians(calls) for name, calls in spent.items()}


def spent_by(run: Callable[[], object]) -> Spent:
    """One call."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def seconds_of(run: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    return spent_by(run).wall_seconds


def _medians(calls: Sequence[Spent]) -> Spent:
    return Spent(
        statistics.median(call.wall_seconds for call in calls),
        statistics.median(call.cpu_seconds for call in calls),
    )


def machine() -> str:
    """Processor count, memory, system and date, for the head of a report."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} × {_processor()}, {memory_gib:.0f} GiB, "
        f"Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.machine()
