"""The forked process of a worker: the only one with models, a device and a database connection."""

import gc
import logging
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import TypeAlias

from vision.allocator import give_back_memory
from vision.engine.parts import Engine, broker_url, open_engine, pace
from vision.engine.station import Station
from vision.engine.tick import MAX_BELLS
from vision.engine.work_loop import WorkDone, work
from vision.errors import VisionError
from vision.settings import Settings
from workers.idle_timer import IdleTimer
from workers.queue import Bell
from workers.shared_state import SharedState

log = logging.getLogger(__name__)

OpenStation: TypeAlias = Callable[..., AbstractContextManager[Station]]
"""As `vision.engine.worker_parts.open_station`."""

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the others waiting for the interpreter. Python's own 5 ms is as long
as a whole image on a fast GPU, whose thread must not wait for one that talks to the database."""
REST_SECONDS = 5.0
"""Without work, until memory that is free goes to the system. Not at once: of an image through
demo_maskrcnn that is a quarter of the processor time (docs/benchmarks.md)."""


class Child:
    """Made in the parent, where it does nothing; opened in the child, where it works."""

    def __init__(
        self, settings: Settings, open_station: OpenStation, *, name: str, state: SharedState
    ) -> None:
        self._settings = settings
        self._open_station = open_station
        self._name = name
        self._state = state
        self._rest = IdleTimer(give_back_memory, after_seconds=REST_SECONDS)
        self._parts = ExitStack()
        self._station: Station | None = None
        self._bell: Bell | None = None

    def start(self) -> None:
        """Ready before the first bell, if that can be; else the bells try again."""
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            self._open()
        except VisionError as error:
            log.error("worker not ready", extra={"code": error.code, "error": str(error)})

    def shift(self, *, max_seconds: float) -> WorkDone:
        """Works until nothing is ready. Raises VisionError when the worker isn't."""
        try:
            with self._rest.at_work():
                return self._work(max_seconds=max_seconds)
        finally:
            self._state.work_ended()

    def _work(self, *, max_seconds: float) -> WorkDone:
        return work(
            self._station or self._open(),
            pace(self._settings),
            drain=self._state.should_drain,
            max_seconds=max_seconds,
            on_move=self._state.work_moved,
            on_ready=self._wake_others,
        )

    def _wake_others(self, units: int) -> None:
        """A video was cut into chunks: the tick would say so too, but only in a while."""
        if self._bell is not None:
            # One of them is ours.
            self._bell.ring(min(units - 1, MAX_BELLS))

    def close(self) -> None:
        """In the parent without effect."""
        self._rest.stop()
        self._parts.close()

    def _open(self) -> Station:
        with ExitStack() as opening:
            engine = opening.enter_context(open_engine(self._settings))
            owner = f"{self._name}/{os.getpid()}"
            station = opening.enter_context(self._open_station(engine, self._settings, owner=owner))
            self._take_back_leases(engine)
            bell = opening.enter_context(Bell(broker_url(self._settings)))
            self._parts = opening.pop_all()
        self._station, self._bell = station, bell
        # What is loaded by now stays: collecting garbage need not look through it each time.
        gc.collect()
        gc.freeze()
        log.info("worker ready", extra={"worker": self._name})
        return station

    def _take_back_leases(self, engine: Engine) -> None:
        """There is one child at a time: whatever a former one held, it holds no longer."""
        if engine.units.expire_owner(f"{self._name}/"):
            engine.units.reap(max_fails=self._settings.max_fails)
