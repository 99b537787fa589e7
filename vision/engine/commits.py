"""Stores finished units from a thread of its own, while the next ones are being inferred."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from vision.domain.job import ChunkResult, ProbeResult, UnitResult, WorkResult
from vision.domain.video import is_ready_at_once
from vision.engine.follow_states import FollowStates
from vision.engine.in_flight import InFlight
from vision.engine.log_fields import unit_fields
from vision.errors import TemporaryError
from vision.storage.units import UnitStore

log = logging.getLogger(__name__)

MAX_WAITING = 8
"""Finished units that may wait: with a slow database the networks wait, memory doesn't grow."""
RETRY_PAUSE_SECONDS = 0.5

OnReady: TypeAlias = Callable[[int], None]
"""Called with the number of units that were just made, for any worker to take; is quick."""


def unannounced(_units: int) -> None:
    """For callers who are alone, or whose other workers wait for the tick."""


class Commits:
    """One thread calls `run`, others `put`; `run` ends after `close`, when all are stored."""

    def __init__(
        self,
        units: UnitStore,
        in_flight: InFlight,
        *,
        states: FollowStates,
        patience_seconds: float,
        on_ready: OnReady = unannounced,
    ) -> None:
        """A unit that can't be stored for `patience_seconds` is left to its lease's end."""
        self._units = units
        self._in_flight = in_flight
        self._states = states
        self._patience_seconds = patience_seconds
        self._on_ready = on_ready
        self._changed = threading.Condition()
        self._waiting: deque[WorkResult] = deque()
        self._is_closed = False
        self.stored_units = 0
        """Until now."""
        self.stored_images = 0
        self.stored_frames = 0

    def put(self, result: WorkResult) -> None:
        """Waits while too many wait; without effect once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or len(self._waiting) < MAX_WAITING)
            if not self._is_closed:
                self._waiting.append(result)
                self._changed.notify_all()

    def close(self) -> None:
        """What waits is still stored."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def run(self) -> None:
        try:
            while (result := self._next()) is not None:
                self._commit(result)
        finally:
            # After a failure too: nobody may wait for a thread that has ended.
            self.close()

    def _next(self) -> WorkResult | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            result = self._waiting.popleft() if self._waiting else None
            self._changed.notify_all()
            return result

    def _commit(self, result: WorkResult) -> None:
        started = time.monotonic()
        if not self._in_flight.holds(result.lease):
            return
        is_stored = self._stored(result)
        self._in_flight.drop(result.lease)
        if is_stored is None:
            return
        if is_stored:
            self._count(result)
        log.info(
            "unit committed" if is_stored else "late commit dropped",
            extra=unit_fields(result.lease) | {"seconds": round(time.monotonic() - started, 4)},
        )

    def _count(self, result: WorkResult) -> None:
        self.stored_units += 1
        if isinstance(result, UnitResult):
            self.stored_images += len(result.items)
        elif isinstance(result, ChunkResult):
            self.stored_frames += len(result.frames)
        elif isinstance(result, ProbeResult):
            self._on_ready(sum(is_ready_at_once(chunk) for chunk in result.chunks))

    def _stored(self, result: WorkResult) -> bool | None:
        """False when fenced; None when the database was away for too long.

        Committing again after an unclear answer is safe: the attempt guards it.
        """
        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                if isinstance(result, ChunkResult):
                    result = self._states.kept(result)
                return self._units.commit(result)
            except TemporaryError as error:
                fields = unit_fields(result.lease) | {"error": str(error)}
                if time.monotonic() > deadline or not self._in_flight.holds(result.lease):
                    log.error("unit not committed", extra=fields)
                    return None
                log.warning("commit waits", extra=fields)
                time.sleep(RETRY_PAUSE_SECONDS)
