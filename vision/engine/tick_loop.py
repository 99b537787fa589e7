"""Tick after tick until told to stop: what `vision tick` runs."""

import threading
from collections.abc import Callable

from vision.engine.tick import Tick

Ring = Callable[[int], None]
"""Asks for that many bells to wait in the queue; returns at once and never raises."""


def run_ticks(tick: Tick, *, ring: Ring, every_seconds: float, stop: threading.Event) -> None:
    """Ticks and rings until `stop` is set; an unreachable database is logged and waited for."""
    raise NotImplementedError
