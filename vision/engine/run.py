"""Decoded images through the networks, on the one thread that may touch the device."""

from collections.abc import Sequence

from vision.domain.job import ItemFailure, ItemResult, Lease
from vision.engine.batch_run import Outcome, run_batch
from vision.engine.conveyor import Conveyor, DecodedItem
from vision.engine.in_flight import InFlight, LeaseKey
from vision.engine.outcomes import Outcomes
from vision.engine.station import RunsImages, Station
from vision.errors import TemporaryError, VisionError


class Inference:
    """Takes what is decoded and tells what came of it."""

    def __init__(
        self, station: Station, conveyor: Conveyor, *, in_flight: InFlight, outcomes: Outcomes
    ) -> None:
        self._station = station
        self._conveyor = conveyor
        self._in_flight = in_flight
        self._outcomes = outcomes
        self._pipeline: RunsImages | None = None
        self._pipeline_sha256 = ""

    def run(self) -> None:
        """Until the conveyor is closed and empty. Raises StorageUnavailable."""
        while batch := self._conveyor.take(self._station.batch_images):
            held = [decoded for decoded in batch if self._in_flight.holds(decoded.lease)]
            if held:
                self._infer(held)

    def _infer(self, batch: Sequence[DecodedItem]) -> None:
        try:
            outcomes = self._outcomes_of(batch)
        except TemporaryError as error:
            for lease in _leases(batch):
                self._outcomes.give_back(lease, reason=str(error))
        except VisionError as error:
            for lease in _leases(batch):
                self._outcomes.unit_failed(lease, error)
        else:
            for decoded, outcome in zip(batch, outcomes, strict=True):
                self._outcomes.item_ended(decoded.lease, _result(decoded, outcome))

    def _outcomes_of(self, batch: Sequence[DecodedItem]) -> list[Outcome]:
        pipeline = self._opened(batch[0].lease)
        for lease in _leases(batch):
            self._in_flight.start(lease, pipeline.provenance)
        return run_batch(pipeline, [decoded.image for decoded in batch])

    def _opened(self, lease: Lease) -> RunsImages:
        if self._pipeline is None or self._pipeline_sha256 != lease.pipeline_sha256:
            # Let go first: the pool can only make room for models that nobody holds.
            self._pipeline = None
            self._pipeline = self._station.open_pipeline(lease.pipeline)
            self._pipeline_sha256 = lease.pipeline_sha256
        return self._pipeline


def _leases(batch: Sequence[DecodedItem]) -> list[Lease]:
    """Each once, in order."""
    return list({LeaseKey.of(decoded.lease): decoded.lease for decoded in batch}.values())


def _result(decoded: DecodedItem, outcome: Outcome) -> ItemResult:
    if isinstance(outcome, ItemFailure):
        return ItemResult(decoded.item.index, failure=outcome, facts=decoded.facts)
    return ItemResult(decoded.item.index, detections=outcome, facts=decoded.facts)
