"""The one task: somebody rang, so work until nothing is ready."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Protocol

from celery import Celery

from vision.engine.work_loop import WorkDone
from vision.errors import TemporaryError
from workers.celery_app import TASK

log = logging.getLogger(__name__)

RING_SECONDS = 300.0
"""Then no more is claimed and the task ends, so that the pool can look after its child."""


class Shift(Protocol):
    """Claims and runs what is ready."""

    def __call__(self, *, max_seconds: float) -> WorkDone: ...


def install_ring(app: Celery, current_shift: Callable[[], Shift]) -> None:
    """Makes `ring` known to the worker; `current_shift` is asked in the child only."""

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def ring() -> None:
        started = time.monotonic()
        try:
            done = current_shift()(max_seconds=RING_SECONDS)
        except TemporaryError as error:
            log.warning("work interrupted", extra={"error": str(error)})
            return
        if done.units:
            seconds = round(time.monotonic() - started, 3)
            log.info("work done", extra=asdict(done) | {"seconds": seconds})
