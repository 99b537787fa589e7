"""Decoded images and frames through the networks, on the one thread that may touch the device."""

from collections.abc import Sequence
from itertools import islice

from vision.domain.job import ItemFailure, ItemResult, Lease
from vision.domain.video import FrameFindings
from vision.engine.batch_run import Outcome, run_batch
from vision.engine.conveyor import Conveyor, Decoded, DecodedFrames, DecodedItem
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

    def _infer(self, batch: Sequence[Decoded]) -> None:
        try:
            outcomes = self._outcomes_of(batch)
        except TemporaryError as error:
            for lease in _leases(batch):
                self._outcomes.give_back(lease, reason=str(error))
        except VisionError as error:
            for lease in _leases(batch):
                self._outcomes.unit_failed(lease, error)
        else:
            rest = iter(outcomes)
            for decoded in batch:
                self._tell(decoded, list(islice(rest, len(decoded.images))))

    def _outcomes_of(self, batch: Sequence[Decoded]) -> list[Outcome]:
        pipeline = self._opened(batch[0].lease)
        for lease in _leases(batch):
            self._in_flight.start(lease, pipeline.provenance)
        return run_batch(pipeline, [image for decoded in batch for image in decoded.images])

    def _tell(self, decoded: Decoded, outcomes: Sequence[Outcome]) -> None:
        if isinstance(decoded, DecodedItem):
            self._outcomes.item_ended(decoded.lease, _result(decoded, outcomes[0]))
        else:
            found, failed = _frames(decoded, outcomes)
            self._outcomes.frames_ended(decoded.lease, found, failed=failed)

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


def _frames(
    decoded: DecodedFrames, outcomes: Sequence[Outcome]
) -> tuple[list[FrameFindings], list[tuple[int, ItemFailure]]]:
    """What was found, and what failed by frame index."""
    found: list[FrameFindings] = []
    failed: list[tuple[int, ItemFailure]] = []
    for frame, outcome in zip(decoded.frames, outcomes, strict=True):
        if isinstance(outcome, ItemFailure):
            failed.append((frame.frame_index, outcome))
        else:
            found.append(FrameFindings(frame.frame_index, frame.pts_seconds, outcome))
    return found, failed
