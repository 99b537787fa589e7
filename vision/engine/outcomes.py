"""Where what happened to images, frames and units is told: the ledger, the store and the log."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeAlias

from vision.domain.job import ItemFailure, ItemResult, Lease, WorkResult
from vision.domain.video import FrameFindings
from vision.engine.commits import Commits
from vision.engine.in_flight import InFlight
from vision.engine.log_fields import unit_fields
from vision.errors import VisionError
from vision.pipelines.frames_run import StretchEnd
from vision.storage.units import UnitStore

log = logging.getLogger(__name__)

OnItem: TypeAlias = Callable[[Lease, ItemResult], None]
"""Called from any thread for every image that has an outcome, before it is stored; is quick."""


OnFrames: TypeAlias = Callable[[Lease, int], None]
"""Called from any thread with how many more frames of a chunk have an outcome; is quick. When the
video itself has ended is in the database: other workers may do other chunks of it."""


def unwatched(_lease: Lease, _result: ItemResult) -> None:
    """For callers who look at the database instead."""


def uncounted(_lease: Lease, _frames: int) -> None:
    """For callers who look at the database instead."""


class Outcomes:
    """Safe for threads. Whatever is told about a unit that is no longer held has no effect."""

    def __init__(
        self,
        units: UnitStore,
        in_flight: InFlight,
        commits: Commits,
        *,
        max_fails: int,
        on_item: OnItem = unwatched,
        on_frames: OnFrames = uncounted,
    ) -> None:
        self._units = units
        self._in_flight = in_flight
        self._commits = commits
        self._max_fails = max_fails
        self._on_item = on_item
        self._on_frames = on_frames

    def item_ended(self, lease: Lease, result: ItemResult) -> None:
        """The unit goes to be stored when this was its last."""
        self._tell(lease, result)
        if self._in_flight.holds(lease):
            self._on_item(lease, result)
        self._unit_may_have_ended(self._in_flight.note(lease, result))

    def frames_ended(
        self,
        lease: Lease,
        found: Sequence[FrameFindings],
        *,
        failed: Sequence[tuple[int, ItemFailure]],
    ) -> None:
        """`failed` by frame index. The unit goes to be stored when these were its last."""
        for index, failure in failed:
            fields = {"frame": index, "code": failure.code}
            log.warning("frame failed", extra=unit_fields(lease) | fields)
        if self._in_flight.holds(lease):
            self._on_frames(lease, len(found) + len(failed))
        self._unit_may_have_ended(self._in_flight.note_frames(lease, found, failed=failed))

    def reading_ended(
        self, lease: Lease, *, frames: int, damage: str | None, end: StretchEnd
    ) -> None:
        """So many frames of the chunk had an outcome, and no more come."""
        if damage is not None:
            fields = {"frames": frames, "damage": damage}
            log.warning("video damaged", extra=unit_fields(lease) | fields)
        result = self._in_flight.end_reading(lease, frames=frames, damage=damage, end=end)
        self._unit_may_have_ended(result)

    def unit_ended(self, result: WorkResult) -> None:
        """Of a kind that has its result in one piece."""
        self._in_flight.beat(result.lease)
        self._commits.put(result)

    def unit_failed(self, lease: Lease, error: VisionError) -> None:
        """The work can't be done at all, such as without weights. Raises StorageUnavailable."""
        self.unit_broke(lease, failure_of(error), retryable=error.retryable)

    def unit_broke(self, lease: Lease, failure: ItemFailure, *, retryable: bool) -> None:
        """Raises StorageUnavailable."""
        if not self._in_flight.holds(lease):
            return
        fields = {"code": failure.code, "error": failure.detail, "retryable": retryable}
        log.error("unit failed", extra=unit_fields(lease) | fields)
        try:
            self._units.fail(
                lease,
                failure.code,
                failure.detail,
                retryable=retryable,
                max_fails=self._max_fails,
            )
        finally:
            # Not before: whoever finds nothing in flight must find what this made ready.
            self._in_flight.drop(lease)

    def give_back(self, lease: Lease, *, reason: str) -> None:
        """Any worker may claim it again, and it counts as no failure. Raises StorageUnavailable."""
        if self._in_flight.drop(lease):
            log.info("unit released", extra=unit_fields(lease) | {"reason": reason})
            self._units.release(lease)

    def lost(self, lease: Lease) -> None:
        """Somebody else has it now: what we still do for it is thrown away."""
        if self._in_flight.drop(lease):
            log.warning("lease lost", extra=unit_fields(lease))

    def _unit_may_have_ended(self, result: WorkResult | None) -> None:
        if result is not None:
            self._commits.put(result)

    def _tell(self, lease: Lease, result: ItemResult) -> None:
        if result.failure is not None:
            fields = {"item": result.index, "code": result.failure.code}
            log.info("item failed", extra=unit_fields(lease) | fields)
        elif log.isEnabledFor(logging.DEBUG):
            log.debug("item done", extra=unit_fields(lease) | {"item": result.index})


def failure_of(error: VisionError) -> ItemFailure:
    return ItemFailure(error.code, str(error))
