"""Tick after tick until told to stop: what `vision tick` runs."""

import logging
import threading
from collections.abc import Callable
from dataclasses import asdict

from vision.engine.tick import Tick
from vision.errors import TemporaryError

log = logging.getLogger(__name__)

Ring = Callable[[int], None]
"""Asks for that many bells to wait in the queue; returns at once and never raises."""


def run_ticks(
    tick: Tick,
    *,
    ring: Ring,
    every_seconds: float,
    stop: threading.Event,
    on_success: Callable[[], object] = lambda: None,
) -> None:
    """Ticks and rings until `stop` is set; an unreachable database is logged and waited for.

    `on_success` is called after every tick that went well.
    """
    while not stop.is_set():
        try:
            tick_once(tick, ring)
            on_success()
        except TemporaryError as error:
            log.warning("tick failed", extra={"error": str(error)})
        stop.wait(every_seconds)


def tick_once(tick: Tick, ring: Ring) -> None:
    """Raises StorageUnavailable."""
    report = tick.run()
    if report.did_something:
        log.info("tick", extra=asdict(report))
    if report.ready:
        ring(report.ready)
