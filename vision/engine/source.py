"""Claims units ahead of the networks and hands out their images, or their video, one by one."""

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from vision.domain.job import Lease, UnitResult, WorkItem
from vision.domain.states import UnitKind
from vision.engine.in_flight import InFlight
from vision.errors import NotFound
from vision.storage.units import UnitStore

Task: TypeAlias = tuple[Lease, WorkItem]

LOOK_AGAIN_SECONDS = 0.05
"""While something is in flight but nothing more was ready: work that comes meanwhile is decoded
before the networks are free, and no bell can tell this worker, because it is busy."""
LOOK_AT_LEAST_SECONDS = 0.5
"""Looks become rarer up to that: what is in flight may take hours, such as drawing a video."""


class Source:
    """Shared by the decode threads.

    A unit that failed before is suspected of killing workers: it is held alone, so that it can
    take no other unit with it, and so that none is blamed for its end.
    """

    def __init__(
        self,
        units: UnitStore,
        in_flight: InFlight,
        *,
        owner: str,
        lease_seconds: float,
        has_time: Callable[[], bool],
    ) -> None:
        """Without time left nothing more is claimed."""
        self._units = units
        self._in_flight = in_flight
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._has_time = has_time
        self._lock = threading.Lock()
        self._pending: deque[Task] = deque()
        self._stopped = threading.Event()
        self._waits_to_be_alone = False
        self._unstarted: tuple[Lease, ...] = ()

    def stop(self) -> None:
        """Nothing more is claimed; what is claimed is still handed out."""
        self._stopped.set()

    def next(self) -> Task | None:
        """None when stopped, or when nothing is ready and nothing in flight.

        Raises StorageUnavailable.
        """
        with self._lock:
            self._start_jobs()
            if not self._pending and not self._refill():
                return None
            return self._pending.popleft()

    def _refill(self) -> bool:
        pause = LOOK_AGAIN_SECONDS
        while self._has_time() and not self._stopped.is_set():
            # Asked before the claim: what a last commit made ready is then still found.
            is_alone = self._in_flight.is_empty()
            if leases := self._claim(is_alone=is_alone):
                self._in_flight.add(leases)
                self._unstarted = leases
                self._pending.extend((lease, item) for lease in leases for item in lease.items)
                return True
            if is_alone:
                return False
            self._in_flight.wait_until_empty(pause)
            pause = min(pause * 1.1, LOOK_AT_LEAST_SECONDS)
        return False

    def _start_jobs(self) -> None:
        """Not at the claim: the first image is already on its way to the networks by now."""
        leases, self._unstarted = self._unstarted, ()
        if leases:
            self._units.start_jobs(leases)

    def _claim(self, *, is_alone: bool) -> tuple[Lease, ...]:
        if not is_alone and not self._may_claim_more():
            return ()
        self._waits_to_be_alone = False
        claimed = self._units.claim(
            self._owner, lease_seconds=self._lease_seconds, starts_jobs=False
        )
        leases = self._without_empty(claimed)
        if is_alone or not any(lease.fails for lease in leases):
            return leases
        for lease in leases:
            self._units.release(lease)
        self._waits_to_be_alone = True
        return ()

    def _without_empty(self, leases: tuple[Lease, ...]) -> tuple[Lease, ...]:
        """Units whose every asset was erased meanwhile are done at once."""
        for lease in leases:
            if not lease.items and lease.kind is UnitKind.IMAGES:
                self._units.commit(UnitResult(lease, ()))
            elif not lease.items:
                self._units.fail(lease, NotFound.code, "the file was erased", retryable=False)
        return tuple(lease for lease in leases if lease.items)

    def _may_claim_more(self) -> bool:
        if self._waits_to_be_alone or any(lease.fails for lease in self._in_flight.leases()):
            return False
        return self._units.ready_count(limit=1) > 0
