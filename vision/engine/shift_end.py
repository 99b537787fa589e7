"""Until when one shift claims work."""

import time

from vision.domain.job import Lease
from vision.domain.states import UnitKind
from vision.engine.in_flight import InFlight


class ShiftEnd:
    """A time; or later, when drawing a video takes longer: the networks would idle meanwhile."""

    def __init__(self, in_flight: InFlight, *, ends_at: float) -> None:
        """`ends_at` is on the monotonic clock."""
        self._in_flight = in_flight
        self._ends_at = ends_at
        self._outlasting: tuple[Lease, ...] | None = None

    def has_time(self) -> bool:
        if time.monotonic() < self._ends_at:
            return True
        if self._outlasting is None:
            # Not those that are claimed from now on: one drawing after the other would never end.
            leases = self._in_flight.leases()
            self._outlasting = tuple(one for one in leases if one.kind is UnitKind.RENDER)
        return any(self._in_flight.holds(lease) for lease in self._outlasting)
