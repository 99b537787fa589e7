"""Where what happened to images and units is told: the ledger, the store and the log."""

import logging
from collections.abc import Callable
from typing import TypeAlias

from vision.domain.job import ItemFailure, ItemResult, Lease
from vision.engine.commits import Commits
from vision.engine.in_flight import InFlight
from vision.engine.log_fields import unit_fields
from vision.errors import VisionError
from vision.storage.units import UnitStore

log = logging.getLogger(__name__)

OnItem: TypeAlias = Callable[[Lease, ItemResult], None]
"""Called from any thread for every image that has an outcome, before it is stored; is quick."""


def unwatched(_lease: Lease, _result: ItemResult) -> None:
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
        on_item: OnItem,
    ) -> None:
        self._units = units
        self._in_flight = in_flight
        self._commits = commits
        self._max_fails = max_fails
        self._on_item = on_item

    def item_ended(self, lease: Lease, result: ItemResult) -> None:
        """The unit goes to be stored when this was its last."""
        self._tell(lease, result)
        if self._in_flight.holds(lease):
            self._on_item(lease, result)
        finished = self._in_flight.note(lease, result)
        if finished is not None:
            self._commits.put(finished)

    def unit_failed(self, lease: Lease, error: VisionError) -> None:
        """The work can't be done at all, such as without weights. Raises StorageUnavailable."""
        self.unit_broke(lease, failure_of(error), retryable=error.retryable)

    def unit_broke(self, lease: Lease, failure: ItemFailure, *, retryable: bool) -> None:
        """Raises StorageUnavailable."""
        if not self._in_flight.drop(lease):
            return
        fields = {"code": failure.code, "error": failure.detail, "retryable": retryable}
        log.error("unit failed", extra=unit_fields(lease) | fields)
        self._units.fail(
            lease,
            failure.code,
            failure.detail,
            retryable=retryable,
            max_fails=self._max_fails,
        )

    def give_back(self, lease: Lease, *, reason: str) -> None:
        """Any worker may claim it again, and it counts as no failure. Raises StorageUnavailable."""
        if self._in_flight.drop(lease):
            log.info("unit released", extra=unit_fields(lease) | {"reason": reason})
            self._units.release(lease)

    def lost(self, lease: Lease) -> None:
        """Somebody else has it now: what we still do for it is thrown away."""
        if self._in_flight.drop(lease):
            log.warning("lease lost", extra=unit_fields(lease))

    def _tell(self, lease: Lease, result: ItemResult) -> None:
        if result.failure is not None:
            fields = {"item": result.index, "code": result.failure.code}
            log.info("item failed", extra=unit_fields(lease) | fields)
        elif log.isEnabledFor(logging.DEBUG):
            log.debug("item done", extra=unit_fields(lease) | {"item": result.index})


def failure_of(error: VisionError) -> ItemFailure:
    return ItemFailure(error.code, str(error))
