"""The units of a video whose result comes in one piece."""

from collections.abc import Mapping
from functools import partial

from vision.domain.job import Lease, ProbeResult, WorkResult
from vision.domain.states import UnitKind
from vision.domain.video import VideoIndex
from vision.engine.in_flight import InFlight
from vision.engine.originals import original
from vision.engine.station import OnBeat, Station, VideoReader
from vision.engine.video_render import render_unit
from vision.engine.video_stages import follow_stage, is_seeded, sample_stage
from vision.engine.video_track import track_unit
from vision.pipelines.follow_plan import cut_to_follow
from vision.pipelines.sampling import Cut, cut


class VideoUnits:
    """Shared by the decode threads."""

    def __init__(self, station: Station, in_flight: InFlight) -> None:
        self._station = station
        self._in_flight = in_flight

    def result(self, reader: VideoReader, lease: Lease) -> WorkResult:
        """Of a PROBE, TRACK or RENDER unit; blobs it speaks of are durable.

        Raises LeaseGone, VisionError.
        """
        on_beat = partial(self._in_flight.beat, lease)
        # It may have waited long for its turn.
        on_beat()
        if lease.kind is UnitKind.PROBE:
            return self._probe(reader, lease, on_beat=on_beat)
        if lease.kind is UnitKind.TRACK:
            return track_unit(self._station, reader, lease=lease, on_beat=on_beat)
        assert lease.kind is UnitKind.RENDER, f"no unit of kind {lease.kind} comes in one piece"
        on_frame = partial(self._in_flight.count_frames, lease)
        return render_unit(self._station, reader, lease=lease, on_beat=on_beat, on_frame=on_frame)

    def _probe(self, reader: VideoReader, lease: Lease, *, on_beat: OnBeat) -> ProbeResult:
        with original(self._station.blobs, lease.items[0].blob_key) as source:
            index = reader.index(source, on_beat=on_beat)
        pieces = _pieces(index, lease.pipeline, chunk_frames=self._station.chunk_frames)
        return ProbeResult(
            lease, index.facts, pieces.chunks, pieces.frames_declared, damage=index.damage
        )


def _pieces(index: VideoIndex, pipeline: Mapping[str, object], *, chunk_frames: int) -> Cut:
    sample, follow = sample_stage(pipeline), follow_stage(pipeline)
    if follow is None:
        return cut(index, sample, chunk_frames=chunk_frames)
    seeded = is_seeded(pipeline)
    return cut_to_follow(index, sample, follow, is_seeded=seeded, chunk_frames=chunk_frames)
