"""A RENDER unit: stored results drawn into a video that is kept."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby

from vision.domain.job import Lease, RenderResult
from vision.domain.stored import DetectionFilter, StoredDetection, as_detections
from vision.domain.track import NO_TRACK
from vision.engine.derived import keep, staged
from vision.engine.originals import original
from vision.engine.render import AnalysedFrame, render
from vision.engine.station import OnBeat, Station, VideoReader
from vision.engine.video_stages import sample_stage
from vision.media.overlay import Overlay
from vision.media.video_writer import MEDIA_TYPE


def render_unit(
    station: Station,
    reader: VideoReader,
    *,
    lease: Lease,
    on_beat: OnBeat,
    on_frame: Callable[[int], None],
) -> RenderResult:
    """The video is durable; `on_frame` is told progress in units of the plan's frames.

    Raises what the callbacks raise, BadMedia's kinds, NotFound, TemporaryError.
    """
    drawn = partial(
        render,
        reader,
        codec=station.video_codec,
        end_seconds=_end_seconds(lease),
        on_beat=on_beat,
        on_frame=partial(_tell, on_frame, _planned(lease)),
    )
    blob_key = lease.items[0].blob_key
    with original(station.blobs, blob_key) as source, staged(station.derived) as path:
        drawn(source, stored_frames(station, lease), path=path)
        size_bytes = path.stat().st_size
        key = keep(station.derived, path, tenant=lease.tenant)
    return RenderResult(lease, key, size_bytes, MEDIA_TYPE)


def stored_frames(station: Station, lease: Lease) -> Iterator[AnalysedFrame]:
    """Every analysed frame of the lease's video, in order of time."""
    times = station.tracks.frame_times(lease.job_id, lease.item)
    chosen = DetectionFilter(
        tenant=lease.tenant, job_id=lease.job_id, asset_id=lease.items[0].asset_id
    )
    groups = groupby(station.detections.stream(chosen), key=lambda row: row.frame_index)
    coming = next(groups, None)
    for frame_index, seconds in zip(times.frame_index, times.pts_seconds, strict=True):
        rows: Sequence[StoredDetection] = ()
        if coming is not None and coming[0] == frame_index:
            rows = tuple(coming[1])
            coming = next(groups, None)
        yield AnalysedFrame(float(seconds), overlay_of(rows))


def overlay_of(rows: Sequence[StoredDetection]) -> Overlay:
    """All that one frame shows."""
    track_ids = tuple(row.track_id or NO_TRACK for row in rows)
    has_tracks = any(one != NO_TRACK for one in track_ids)
    return Overlay(as_detections(rows), track_ids=track_ids if has_tracks else None)


def _end_seconds(lease: Lease) -> float | None:
    sample = sample_stage(lease.pipeline)
    return None if sample is None else sample.end_seconds


def _planned(lease: Lease) -> int:
    frames = (lease.plan or {}).get("frames", 0)
    return frames if isinstance(frames, int) else 0


def _tell(on_frame: Callable[[int], None], planned: int, done: int, total: int) -> None:
    on_frame(done * planned // total)
