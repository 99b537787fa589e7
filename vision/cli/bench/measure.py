"""How things are measured: interleaved with their reference, median of several rounds."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
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


def interleaved(
    candidates: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS
) -> dict[str, float]:
    """Median wall seconds of each, all run in turn in every round, after one unmeasured round.

    In turn, because a shared machine's speed drifts within seconds: what is measured minutes
    apart can't be compared.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for measured_round in range(rounds + 1):
        for name, run in candidates.items():
            elapsed = seconds_of(run)
            if measured_round:
                seconds[name].append(elapsed)
    return {name: statistics.median(times) for name, times in seconds.items()}


def seconds_of(run: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


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
