"""How many inputs a network takes at once: found by trying, then remembered in a file. No torch.

sizes = BatchSizes(data_dir / BATCH_SIZES_FILE)
sizes.get(key) or sizes.remember(key, best_size(run, too_much=torch.OutOfMemoryError))
"""

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BATCH_SIZES_FILE = "batch_sizes.json"
"""In the data folder. May be deleted at any time: then sizes are found anew."""
VERSION = 1
MOST_AT_ONCE = 128
WORTHWHILE = 1.05
"""So much more per second must a doubling bring; else the smaller size keeps memory free."""
PATIENCE = 2
"""Doublings in a row that may bring nothing before the search ends: one can be bad luck."""
ROUNDS = 3
"""The quickest counts: what else the machine does only ever makes a round slower."""


@dataclass(frozen=True, slots=True)
class PassKey:
    """What the best number depends on."""

    model: str
    weights_sha256: str
    card: str
    """Which hardware, such as NVIDIA H100 80GB HBM3."""
    precision: str
    shape: str
    """Of one input, such as 224x224."""

    def __str__(self) -> str:
        return (
            f"{self.model} {self.weights_sha256} on {self.card} in {self.precision}: {self.shape}"
        )


class BatchSizes:
    """Numbers by key. Safe for threads; processes that share the file agree on the first found.

    Without a file, or where it can't be written, they are remembered by this object alone.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._sizes = _read(file)

    def get(self, key: PassKey) -> int | None:
        """None until one is remembered."""
        with self._lock:
            return self._sizes.get(str(key))

    def remember(self, key: PassKey, size: int) -> int:
        """What is remembered then: another process's number, if that was first."""
        with self._lock:
            self._sizes |= _read(self._file)
            if str(key) not in self._sizes:
                self._write(str(key), size)
            return self._sizes[str(key)]

    def lower(self, key: PassKey, size: int) -> None:
        """More than `size` didn't fit. Never raises the number."""
        with self._lock:
            self._sizes |= _read(self._file)
            if size < self._sizes.get(str(key), size + 1):
                self._write(str(key), size)

    def _write(self, name: str, size: int) -> None:
        self._sizes[name] = size
        if self._file is None:
            return
        fresh = self._file.with_suffix(f".{os.getpid()}.new")
        try:
            fresh.write_text(json.dumps({"version": VERSION, "sizes": self._sizes}, indent=1))
            fresh.replace(self._file)
        except OSError:
            return  # a full or read-only disk: found again by the next process, still right


def best_size(
    run: Callable[[int], object],
    *,
    too_much: type[Exception],
    most: int = MOST_AT_ONCE,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """Doubled from 1 until it doesn't fit or brings no more per second; raises `too_much` at 1.

    `run(size)` takes so many inputs through the network and returns when the results are there.
    """
    best, best_rate = 1, _rate(run, 1, clock)
    size, in_vain = 2, 0
    while size <= most and in_vain < PATIENCE:
        try:
            rate = _rate(run, size, clock)
        except too_much:
            return best
        is_better = rate > best_rate * WORTHWHILE
        best, best_rate = (size, rate) if is_better else (best, best_rate)
        in_vain = 0 if is_better else in_vain + 1
        size *= 2
    return best


def _rate(run: Callable[[int], object], size: int, clock: Callable[[], float]) -> float:
    """Inputs per second, after a round that warms up."""
    run(size)
    quickest = float("inf")
    for _ in range(ROUNDS):
        started = clock()
        run(size)
        quickest = min(quickest, clock() - started)
    return size / max(quickest, 1e-9)


def _read(file: Path | None) -> dict[str, int]:
    """Empty where there is no such file, or one of another version, or of another kind."""
    if file is None:
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict) or content.get("version") != VERSION:
        return {}
    sizes = content.get("sizes")
    if not isinstance(sizes, dict):
        return {}
    return {key: size for key, size in sizes.items() if type(size) is int and size > 0}
