"""Decoded images and frames through the networks, on the one thread that may touch the device."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from vision.domain.job import ItemFailure, ItemResult, Lease
from vision.engine.batch_run import Outcome, run_batch
from vision.engine.conveyor import Conveyor, Decoded, DecodedItem
from vision.engine.frame_inference import FrameInference
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
        self._frames = FrameInference(self._opened, in_flight=in_flight, outcomes=outcomes)
        self._pipeline: RunsImages | None = None
        self._pipeline_sha256 = ""

    def run(self) -> None:
        """Until the conveyor is closed and empty. Raises StorageUnavailable."""
        while batch := self._conveyor.take(self._station.batch_images):
            self._frames.forget_lost()
            held = [decoded for decoded in batch if self._in_flight.holds(decoded.lease)]
            if held:
                self._infer(held)

    def _infer(self, batch: Sequence[Decoded]) -> None:
        with self._blamed(_leases(batch)):
            if isinstance(batch[0], DecodedItem):
                # Nothing else shares a pass with images: the conveyor sees to that.
                self._infer_images(cast(Sequence[DecodedItem], batch))
            else:
                self._frames.take(batch[0])

    def _infer_images(self, batch: Sequence[DecodedItem]) -> None:
        pipeline = self._opened(batch[0].lease)
        for lease in _leases(batch):
            self._in_flight.start(lease, pipeline.provenance)
        outcomes = run_batch(pipeline, [decoded.image for decoded in batch])
        for decoded, outcome in zip(batch, outcomes, strict=True):
            self._outcomes.item_ended(decoded.lease, _result(decoded, outcome))

    @contextmanager
    def _blamed(self, leases: Sequence[Lease]) -> Iterator[None]:
        """Around the work on them. Raises StorageUnavailable when the outcome can't be told."""
        try:
            yield
        except TemporaryError as error:
            for lease in leases:
                self._outcomes.give_back(lease, reason=str(error))
        except VisionError as error:
            for lease in leases:
                self._outcomes.unit_failed(lease, error)

    def _opened(self, lease: Lease) -> RunsImages:
        if self._pipeline is None or self._pipeline_sha256 != lease.pipeline_sha256:
            # Let go first: the pool can only make room for models that nobody holds.
            self._pipeline = None
            self._pipeline = self._station.open_pipeline(lease.pipeline)
            self._pipeline_sha256 = lease.pipeline_sha256
        return self._pipeline


def _leases(batch: Sequence[Decoded]) -> list[Lease]:
    """Each once, in order."""
    return list({LeaseKey.of(decoded.lease): decoded.lease for decoded in batch}.values())


def _result(decoded: DecodedItem, outcome: Outcome) -> ItemResult:
    if isinstance(outcome, ItemFailure):
        return ItemResult(decoded.item.index, failure=outcome, facts=decoded.facts)
    return ItemResult(decoded.item.index, findings=outcome, facts=decoded.facts)
