"""Turns claimed items into pixels, ahead of the networks."""

from vision.domain.job import ItemFailure, ItemResult, Lease, WorkItem
from vision.engine.conveyor import Conveyor, DecodedItem
from vision.engine.in_flight import InFlight
from vision.engine.outcomes import Outcomes, failure_of
from vision.engine.source import Source
from vision.engine.station import Decoder
from vision.errors import (
    NotFound,
    OperatorError,
    StorageUnavailable,
    TemporaryError,
    VisionError,
)
from vision.media.decoded_image import DecodedImage
from vision.storage.blobs import BlobSource


class Decoding:
    """What every decode thread does; one bad file never stops the rest."""

    def __init__(
        self,
        blobs: BlobSource,
        source: Source,
        conveyor: Conveyor,
        *,
        in_flight: InFlight,
        outcomes: Outcomes,
    ) -> None:
        self._blobs = blobs
        self._source = source
        self._conveyor = conveyor
        self._in_flight = in_flight
        self._outcomes = outcomes

    def run(self, decoder: Decoder) -> None:
        """Until the source has no more. Raises StorageUnavailable."""
        while self._conveyor.reserve():
            task = self._source.next()
            decoded = None if task is None else self._decoded(decoder, *task)
            if decoded is None:
                self._conveyor.forgo()
            else:
                self._conveyor.put(decoded)
            if task is None:
                return

    def _decoded(self, decoder: Decoder, lease: Lease, item: WorkItem) -> DecodedItem | None:
        """None when there is nothing to infer; then the outcome is told already."""
        if not self._in_flight.holds(lease):
            return None
        try:
            picture = self._picture(decoder, item)
        except TemporaryError as error:
            # The same would meet the next unit: stop, and let a later bell try again.
            self._source.stop()
            self._outcomes.give_back(lease, reason=str(error))
        except OperatorError as error:
            # Not the file's fault: so that it can be tried again, the unit fails and not the item.
            self._outcomes.unit_failed(lease, error)
        except VisionError as error:
            self._fail(lease, item, failure_of(error))
        else:
            return DecodedItem(lease, item, picture.image, picture.facts)
        return None

    def _picture(self, decoder: Decoder, item: WorkItem) -> DecodedImage:
        try:
            return decoder.decode(self._blobs.source(item.blob_key))
        except FileNotFoundError as error:
            raise NotFound("the file is no longer there") from error
        except OSError as error:
            raise StorageUnavailable(f"the file can't be read: {error.strerror}") from error

    def _fail(self, lease: Lease, item: WorkItem, failure: ItemFailure) -> None:
        self._outcomes.item_ended(lease, ItemResult(item.index, failure=failure))
