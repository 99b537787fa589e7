"""A TRACK unit: the detections of all chunks, followed in order, or followed already by a model."""

from collections.abc import Callable
from functools import partial
from typing import BinaryIO

from vision.domain.image import ImageSize
from vision.domain.job import Lease, TrackResult
from vision.engine.derived import keep, staged
from vision.engine.originals import original
from vision.engine.station import OnBeat, Station, VideoReader
from vision.engine.video_crops import Places, write_crops
from vision.engine.video_stages import follow_stage, track_stage
from vision.errors import BadMedia, NotFound
from vision.pipelines.tracking import Followed, follow, followed_by_model


def track_unit(
    station: Station, reader: VideoReader, *, lease: Lease, on_beat: OnBeat
) -> TrackResult:
    """The crops it speaks of are durable. Raises what `on_beat` raises, TemporaryError.

    A video that can't be read any more leaves its tracks without crops.
    """
    try:
        with original(station.blobs, lease.items[0].blob_key) as source:
            index = reader.index(source, on_beat=on_beat)
            followed = _followed(station, lease, size=index.facts.size, on_beat=on_beat)
            crops = partial(write_crops, reader, source, index, followed.tracks, on_beat=on_beat)
            return _result(station, lease, followed, crops)
    except (BadMedia, NotFound):
        followed = _followed(station, lease, size=None, on_beat=on_beat)
        return _result(station, lease, followed, lambda _file: (None,) * len(followed.tracks))


def _followed(
    station: Station, lease: Lease, *, size: ImageSize | None, on_beat: OnBeat
) -> Followed:
    columns = station.tracks.columns(lease.job_id, lease.item)
    stage = follow_stage(lease.pipeline)
    if stage is not None:
        ids = station.tracks.track_ids(lease.job_id, lease.item)
        return followed_by_model(columns, ids, stage, size=size)
    return follow(
        columns,
        station.tracks.frame_times(lease.job_id, lease.item),
        track_stage(lease.pipeline),
        item=lease.item,
        size=size,
        on_beat=on_beat,
    )


def _result(
    station: Station, lease: Lease, followed: Followed, write: Callable[[BinaryIO], Places]
) -> TrackResult:
    with staged(station.derived) as path:
        with path.open("wb") as file:
            places = write(file)
        key = keep(station.derived, path, tenant=lease.tenant) if any(places) else None
    return TrackResult(
        lease=lease,
        track_ids=followed.track_ids,
        tracks=followed.tracks,
        crops=places,
        crops_blob_key=key,
        parameters=followed.parameters,
    )
