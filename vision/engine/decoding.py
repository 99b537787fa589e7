"""What every decode thread does: claimed units into pixels for the networks, ahead of them.

Units of videos that need no network and little time end here: probing and following.
"""

from vision.domain.job import ItemFailure, ItemResult, Lease, WorkItem
from vision.domain.states import UnitKind
from vision.engine.blame import blamed
from vision.engine.conveyor import Conveyor, DecodedItem
from vision.engine.drawing import Drawing
from vision.engine.follow_states import FollowStates
from vision.engine.in_flight import InFlight
from vision.engine.originals import original
from vision.engine.outcomes import Outcomes, failure_of
from vision.engine.source import Source
from vision.engine.station import Decoder, Station
from vision.engine.video_chunk import ChunkReading
from vision.engine.video_unit import VideoUnits
from vision.errors import OperatorError, TemporaryError, VisionError
from vision.media.decoded_image import DecodedImage


class Decoding:
    """Any number of threads `run`; one bad file never stops the rest."""

    def __init__(
        self,
        station: Station,
        source: Source,
        conveyor: Conveyor,
        *,
        videos: VideoUnits,
        drawing: Drawing,
        in_flight: InFlight,
        outcomes: Outcomes,
    ) -> None:
        self._blobs = station.blobs
        self._source = source
        self._conveyor = conveyor
        self._in_flight = in_flight
        self._outcomes = outcomes
        self._chunks = ChunkReading(
            conveyor,
            in_flight=in_flight,
            states=FollowStates(station.units, station.derived),
            frames_at_once=station.batch_images,
        )
        self._videos = videos
        self._drawing = drawing

    def run(self, decoder: Decoder) -> None:
        """Until the source has no more. Raises StorageUnavailable."""
        while self._conveyor.reserve():
            task = self._source.next()
            if task is not None and task[0].kind is UnitKind.IMAGES:
                self._decode(decoder, *task)
                continue
            # Frames reserve their own places; the other units of videos need none.
            self._conveyor.forgo()
            if task is None:
                return
            self._work_on_video(decoder, *task)

    def _decode(self, decoder: Decoder, lease: Lease, item: WorkItem) -> None:
        """Onto the reserved place, or the place is given up and the outcome told."""
        decoded = None
        with blamed(lease, source=self._source, outcomes=self._outcomes):
            self._in_flight.beat(lease)
            decoded = self._decoded(decoder, lease, item)
        if decoded is None:
            self._conveyor.forgo()
        else:
            self._conveyor.put(decoded)

    def _decoded(self, decoder: Decoder, lease: Lease, item: WorkItem) -> DecodedItem | None:
        """None for an image with which something is wrong: told already."""
        try:
            picture = self._picture(decoder, item)
        except (TemporaryError, OperatorError):
            raise
        except VisionError as error:
            self._fail(lease, item, failure_of(error))
            return None
        return DecodedItem(lease, item, picture.image, picture.facts)

    def _picture(self, decoder: Decoder, item: WorkItem) -> DecodedImage:
        with original(self._blobs, item.blob_key) as source:
            return decoder.decode(source)

    def _fail(self, lease: Lease, item: WorkItem, failure: ItemFailure) -> None:
        self._outcomes.item_ended(lease, ItemResult(item.index, failure=failure))

    def _work_on_video(self, decoder: Decoder, lease: Lease, item: WorkItem) -> None:
        if lease.kind is UnitKind.RENDER:
            self._drawing.put(lease)
            return
        with blamed(lease, source=self._source, outcomes=self._outcomes):
            self._in_flight.beat(lease)
            if lease.kind is not UnitKind.CHUNK:
                self._outcomes.unit_ended(self._videos.result(decoder, lease))
                return
            with original(self._blobs, item.blob_key) as source:
                self._chunks.read(decoder, source, lease)
