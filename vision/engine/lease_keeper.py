"""Renews leases while work moves, and stops work that is lost, cancelled, stalled or overdue."""

import logging
import os
import threading
import time
from collections.abc import Callable

from vision.domain.states import UnitKind
from vision.domain.stored import UnitKey
from vision.engine.in_flight import InFlight
from vision.engine.outcomes import Outcomes
from vision.engine.source import Source
from vision.engine.station import Pace
from vision.errors import TemporaryError
from vision.storage.units import UnitStore

log = logging.getLogger(__name__)

EXIT_STALLED = 70
EXIT_OVERDUE = 0
LOOK_SECONDS = 0.2
"""How soon a wish to drain is noticed."""
CANCEL_SECONDS = 2.0
"""How soon a cancelled job stops: its owner waits for that, so beats are never further apart."""
QUICK_SHARE = 0.6
"""Of the drain time, for units to finish; the rest is for giving back those that didn't."""


class LeaseKeeper:
    """One thread calls `run` while work goes on."""

    def __init__(
        self,
        units: UnitStore,
        *,
        pace: Pace,
        in_flight: InFlight,
        outcomes: Outcomes,
        source: Source,
        should_drain: Callable[[], bool],
    ) -> None:
        self._units = units
        self._pace = pace
        self._in_flight = in_flight
        self._outcomes = outcomes
        self._source = source
        self._should_drain = should_drain
        self._drains_since: float | None = None
        self._beat_seconds = min(pace.heartbeat_seconds, CANCEL_SECONDS)

    def run(self, stop: threading.Event) -> None:
        next_beat = time.monotonic() + self._beat_seconds
        while not stop.wait(LOOK_SECONDS):
            self._require_progress()
            try:
                self._drain()
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + self._beat_seconds
                    self._beat()
            except TemporaryError as error:
                log.warning("lease not kept", extra={"error": str(error)})

    def _require_progress(self) -> None:
        idle_seconds = self._in_flight.idle_seconds()
        if idle_seconds < self._pace.stall_seconds:
            return
        # Beating on would keep the unit from everybody else for ever.
        log.critical("work stalled, process ends", extra={"idle_seconds": round(idle_seconds)})
        os._exit(EXIT_STALLED)

    def _beat(self) -> None:
        leases = self._in_flight.leases()
        if not leases:
            return
        answer = self._units.heartbeat(
            leases,
            lease_seconds=self._pace.lease_seconds,
            frames_done=self._in_flight.frames_done(),
        )
        for lease in leases:
            key = UnitKey.of(lease)
            if key in answer.cancelled:
                self._outcomes.give_back(lease, reason="cancelled")
            elif key in answer.lost:
                self._outcomes.lost(lease)

    def _drain(self) -> None:
        if self._drains_since is None:
            if not self._should_drain():
                return
            self._drains_since = time.monotonic()
            self._source.stop()
            for lease in self._in_flight.unstarted():
                self._outcomes.give_back(lease, reason="drain")
        drained_seconds = time.monotonic() - self._drains_since
        if drained_seconds > self._pace.video_drain_seconds:
            self._give_back_videos()
        if drained_seconds > self._pace.drain_seconds * QUICK_SHARE:
            self._end_now()

    def _give_back_videos(self) -> None:
        """Their work stops at the next frame, unlike that of an image."""
        for lease in self._in_flight.leases():
            if lease.kind is not UnitKind.IMAGES:
                self._outcomes.give_back(lease, reason="drain")

    def _end_now(self) -> None:
        """What still runs is given back; the network in the middle of it can't be interrupted."""
        for lease in self._in_flight.leases():
            self._outcomes.give_back(lease, reason="drain")
        log.warning("drained by ending the process")
        os._exit(EXIT_OVERDUE)
