"""The one task: somebody rang, so work until nothing is ready."""

import logging
import time
from dataclasses import asdict
from typing import Protocol

from celery import Celery

from vision.engine.work_loop import WorkDone
from vision.errors import VisionError
from workers.celery_app import TASK

log = logging.getLogger(__name__)

RING_SECONDS = 300.0
"""Then no more is claimed and the task ends, so that the pool can look after its child."""


class Shift(Protocol):
    """Claims and runs what is ready."""

    def __call__(self, *, max_seconds: float) -> WorkDone: ...


def install_ring(app: Celery, shift: Shift) -> None:
    """Makes `ring` known to the worker; `shift` is called in the child only."""

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def ring() -> None:
        started = time.monotonic()
        try:
            done = shift(max_seconds=RING_SECONDS)
        except VisionError as error:
            # A later bell tries again: the tick rings as long as something is ready.
            log.error("work interrupted", extra={"code": error.code, "error": str(error)})
            return
        if done.units:
            seconds = round(time.monotonic() - started, 3)
            log.info("work done", extra=asdict(done) | {"seconds": seconds})
