"""What is read back of videos: places in time, tracks, counts in buckets, the rows of a moment."""

from dataclasses import fields, replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from storage_service import PROVENANCE, some_detections
from video_service import FPS, FRAMES, VideoService, chunk_of, track_of

from vision.domain.findings import Findings
from vision.domain.job import ChunkResult, Job
from vision.domain.states import UnitKind
from vision.domain.stored import BucketCount, DetectionFilter, StoredDetection, TrackFilter
from vision.domain.track import Track
from vision.domain.video import FrameFindings
from vision.errors import InvalidRequest


@pytest.fixture
def job(videos: VideoService) -> Job:
    """Two videos of 3 s: a dog and a car in every second frame of the first, dogs in the other."""
    made = videos.video_job(2)
    while leases := videos.claim():
        (lease,) = leases
        is_second = lease.kind is UnitKind.CHUNK and lease.item == 1
        found = some_detections(("dog", "dog"), score=0.5)
        result = chunk_of(lease, found) if is_second else videos.result(lease)
        assert videos.units.commit(result)
    return videos.jobs.get(made.id)


def _asset(videos: VideoService, job: Job, item: int) -> UUID:
    return videos.jobs.items(job.id, limit=9).items[item].asset_id


def _without_path(track: Track) -> dict[str, object]:
    return {one.name: getattr(track, one.name) for one in fields(Track) if one.name != "path"}


def _all(videos: VideoService, chosen: DetectionFilter) -> list[StoredDetection]:
    """Page by page, as a client does."""
    found: list[StoredDetection] = []
    cursor = None
    while True:
        page = videos.detections.page(chosen, limit=7, cursor=cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [(0, n) for n in range(30)] + [(1, n) for n in range(30)], id="all"),
        pytest.param(
            {"from_seconds": 1.2, "to_seconds": 2.0},
            [(item, n) for item in (0, 1) for n in range(12, 20)],
            id="a stretch within a chunk",
        ),
        pytest.param(
            {"from_seconds": 0.8, "to_seconds": 1.2},
            [(item, n) for item in (0, 1) for n in range(8, 12)],
            id="a stretch over two chunks",
        ),
        pytest.param({"to_seconds": 0.2}, [(0, 0), (0, 1), (1, 0), (1, 1)], id="the beginning"),
        pytest.param({"from_seconds": 2.8}, [(0, 28), (1, 28)], id="the end"),
        pytest.param({"from_seconds": 9.0}, [], id="after the end"),
        pytest.param({"frame_index": 12}, [(0, 12), (1, 12)], id="one frame"),
        pytest.param({"frame_index": 13}, [], id="a frame with nothing"),
        pytest.param({"track_id": 2}, [(0, n) for n in range(30)], id="a track"),
        pytest.param({"track_id": 1_000_001}, [(1, n) for n in range(30)], id="of the other"),
        pytest.param({"track_id": 7}, [], id="an unknown track"),
        pytest.param(
            {"track_id": 2, "from_seconds": 1.0, "to_seconds": 1.3},
            [(0, 10), (0, 11), (0, 12)],
            id="a track in a stretch",
        ),
        pytest.param({"track_id": 2, "frame_index": 4}, [(0, 4)], id="a track in a frame"),
        pytest.param({"label": "car", "frame_index": 4}, [(0, 4)], id="a label in a frame"),
    ],
)
def test_places_in_a_video_choose_rows_in_the_jobs_order(
    videos: VideoService, job: Job, changes: dict[str, Any], expected: list[tuple[int, int]]
) -> None:
    chosen = replace(DetectionFilter(job_id=job.id), **changes)
    of_second = replace(chosen, asset_id=_asset(videos, job, 1))
    each = 1 if chosen.label or chosen.track_id == 2 else 2
    wanted = [one for one in expected if one[1] % 2 == 0 for _ in range(each)]

    found, found_in_second = _all(videos, chosen), _all(videos, of_second)

    assert [(row.item, row.frame_index) for row in found] == wanted
    assert [row.pts_seconds for row in found] == [frame / FPS for _, frame in wanted]
    second = [(row.item, row.frame_index) for row in found_in_second]
    assert second == [one for one in wanted if one[0] == 1]


@pytest.mark.parametrize(
    ("seconds", "frame"),
    [
        pytest.param(-1.0, None, id="before the first frame"),
        pytest.param(0.0, 0, id="the first frame"),
        pytest.param(0.19, None, id="a frame in which nothing was found"),
        pytest.param(0.2, 2, id="exactly at a frame"),
        pytest.param(1.0, 10, id="the first of a chunk"),
        pytest.param(0.999, None, id="just before a chunk"),
        pytest.param(2.85, 28, id="between frames"),
        pytest.param(99.0, None, id="long after the end"),
    ],
)
def test_moment_shows_the_last_frame_at_or_before_it(
    videos: VideoService, job: Job, seconds: float, frame: int | None
) -> None:
    asset_id = _asset(videos, job, 0)

    rows = videos.detections.at(job.id, asset_id, at_seconds=seconds)

    expected = [] if frame is None else [(frame, "dog"), (frame, "car")]
    assert [(row.frame_index, row.label) for row in rows] == expected
    assert all(row.mask is not None and row.keypoints is not None for row in rows)


def test_moment_of_another_tenant_or_asset_shows_nothing(videos: VideoService, job: Job) -> None:
    asset_id = _asset(videos, job, 0)
    image = videos.asset("image")

    assert videos.detections.at(job.id, asset_id, "other", at_seconds=0.0) == ()
    assert videos.detections.at(job.id, image.id, at_seconds=0.0) == ()
    plain = videos.detections.at(job.id, asset_id, at_seconds=0.0, include_masks=False)
    assert [row.mask for row in plain] == [None, None]


def test_frames_that_are_shown_at_the_same_time_show_the_last(videos: VideoService) -> None:
    job = videos.video_job()
    (lease,) = videos.probed(1)
    one, two = some_detections(("one",)), some_detections(("two",))
    frames = (FrameFindings(0, 0.5, Findings(one)), FrameFindings(1, 0.5, Findings(two)))
    videos.units.commit(ChunkResult(lease, frames, PROVENANCE))

    (row,) = videos.detections.at(job.id, _asset(videos, job, 0), at_seconds=0.5)

    assert row.label == "two"


def test_counts_in_buckets_tell_detections_tracks_and_frames(
    videos: VideoService, job: Job
) -> None:
    counts = videos.detections.bucket_counts(job.id, bucket_seconds=1.5)
    of_first = videos.detections.bucket_counts(
        job.id, bucket_seconds=1.5, asset_id=_asset(videos, job, 0), label="dog"
    )

    assert counts == (
        BucketCount("car", 0.0, 1.5, detections=8, tracks=1, frames=30),
        BucketCount("dog", 0.0, 1.5, detections=24, tracks=2, frames=30),
        BucketCount("car", 1.5, 3.0, detections=7, tracks=1, frames=30),
        BucketCount("dog", 1.5, 3.0, detections=21, tracks=2, frames=30),
    )
    assert of_first == (
        BucketCount("dog", 0.0, 1.5, detections=8, tracks=1, frames=15),
        BucketCount("dog", 1.5, 3.0, detections=7, tracks=1, frames=15),
    )


def test_counts_in_buckets_are_nothing_where_nothing_may_be_seen(
    videos: VideoService, job: Job
) -> None:
    ask = videos.detections.bucket_counts

    assert ask(job.id, "other", bucket_seconds=1.0) == ()
    assert ask(UUID(int=1), bucket_seconds=1.0) == ()
    assert ask(job.id, bucket_seconds=1.0, asset_id=UUID(int=1)) == ()
    assert ask(job.id, bucket_seconds=1.0, label="unicorn") == ()


def test_times_before_zero_have_their_buckets_too(videos: VideoService) -> None:
    job = videos.video_job()
    (lease,) = videos.probed(1)
    found = some_detections(("dog",))
    seconds = (-2.0, -1.5, -0.1, 0.0, 0.7)
    frames = tuple(FrameFindings(place, one, Findings(found)) for place, one in enumerate(seconds))
    videos.units.commit(ChunkResult(lease, frames, PROVENANCE))

    counts = videos.detections.bucket_counts(job.id, bucket_seconds=1.0)

    assert [(one.from_seconds, one.detections, one.frames) for one in counts] == [
        (-2.0, 2, 2),
        (-1.0, 1, 1),
        (0.0, 2, 2),
    ]


@pytest.mark.parametrize("bucket_seconds", [0.1, 1 / 3, 0.7, 1.0, 2.5])
def test_frames_and_rows_fall_into_the_same_buckets(
    videos: VideoService, bucket_seconds: float
) -> None:
    job = videos.video_job()
    (lease,) = videos.probed(1)
    random = np.random.default_rng(3)
    seconds = np.sort(np.concatenate([random.uniform(0, 9, 200), np.arange(90) / 10]))
    found = some_detections(("dog",))
    frames = tuple(FrameFindings(n, float(one), Findings(found)) for n, one in enumerate(seconds))
    videos.units.commit(ChunkResult(lease, frames, PROVENANCE))

    counts = videos.detections.bucket_counts(job.id, bucket_seconds=bucket_seconds)

    assert [one.detections for one in counts] == [one.frames for one in counts]
    assert sum(one.frames for one in counts) == len(seconds)


def test_stored_track_is_the_one_that_was_committed(videos: VideoService) -> None:
    job = videos.video_job()
    for lease in videos.probed(1):
        videos.units.commit(chunk_of(lease))
    lease = videos.claim_kind(UnitKind.TRACK)
    labels = videos.tracks.columns(job.id, 0).labels.tolist()
    result = track_of(lease, labels)
    crops = (None, *result.crops[1:])
    videos.units.commit(replace(result, crops=crops))

    first, second = videos.tracks.page(TrackFilter(job.id), limit=9).items

    assert [_without_path(one.track) for one in (first, second)] == [
        _without_path(one) for one in result.tracks
    ]
    np.testing.assert_array_equal(first.track.path, result.tracks[0].path)
    assert (first.crop, first.crops_blob_key) == (None, None)
    assert (second.crop, second.crops_blob_key) == ((100, 100), result.crops_blob_key)
    assert first.asset_id == _asset(videos, job, 0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [1, 2, 1_000_001], id="all"),
        pytest.param({"label": "dog"}, [2, 1_000_001], id="label"),
        pytest.param({"track_id": 2}, [2], id="one"),
        pytest.param({"track_id": 3}, [], id="unknown"),
        pytest.param({"from_seconds": 2.8}, [1, 2, 1_000_001], id="still seen"),
        pytest.param({"from_seconds": 2.9}, [], id="gone before"),
        pytest.param({"to_seconds": 0.0}, [], id="seen later"),
        pytest.param({"min_detections": 16}, [1_000_001], id="long ones"),
        pytest.param({"tenant": "other"}, [], id="another tenant"),
    ],
)
def test_tracks_are_chosen_and_paged_in_order(
    videos: VideoService, job: Job, changes: dict[str, Any], expected: list[int]
) -> None:
    chosen = replace(TrackFilter(job.id), **changes)
    first = videos.tracks.page(chosen, limit=2)
    rest = (
        () if first.next is None else videos.tracks.page(chosen, limit=2, cursor=first.next).items
    )

    assert [one.track.track_id for one in (*first.items, *rest)] == expected
    assert [one.track.track_id for one in videos.tracks.stream(chosen)] == expected


def test_tracks_of_one_asset(videos: VideoService, job: Job) -> None:
    second = TrackFilter(job.id, asset_id=_asset(videos, job, 1))
    nobody = TrackFilter(job.id, asset_id=UUID(int=1))

    assert [one.item for one in videos.tracks.stream(second)] == [1]
    assert list(videos.tracks.stream(nobody)) == []
    with pytest.raises(InvalidRequest):
        videos.tracks.page(second, limit=1, cursor="nonsense")


def test_columns_are_the_detections_in_stored_order(videos: VideoService) -> None:
    job = videos.video_job()
    first, second = videos.probed(2)
    videos.units.commit(chunk_of(second, replace(some_detections(), scores=None)))
    videos.units.commit(chunk_of(first))

    columns = videos.tracks.columns(job.id, 0)
    rows = _all(videos, DetectionFilter(job_id=job.id))

    assert columns.chunk.tolist() == [1] * FRAMES + [2] * FRAMES
    assert columns.ord.tolist() == [*range(FRAMES), *range(FRAMES)]
    assert columns.frame_index.tolist() == [row.frame_index for row in rows]
    assert columns.pts_seconds.tolist() == [row.pts_seconds for row in rows]
    assert columns.labels.tolist() == [row.label for row in rows]
    np.testing.assert_array_equal(columns.boxes, np.array([row.box for row in rows], np.float32))
    assert columns.boxes.dtype == np.float32
    assert columns.scores.tolist() == pytest.approx([0.9, 0.89] * 5 + [1.0] * FRAMES)


def test_columns_and_times_of_nothing_are_empty(videos: VideoService) -> None:
    columns = videos.tracks.columns(UUID(int=1), 0)

    assert (len(columns), columns.boxes.shape) == (0, (0, 4))
    assert len(videos.tracks.frame_times(UUID(int=1), 0)) == 0


def test_times_are_those_of_every_analysed_frame(videos: VideoService) -> None:
    job = videos.video_job()
    first, second = videos.probed(2)
    seconds = (-1 / 3, 0.1 + 0.2, 1e9 / 3)
    frames = tuple(
        FrameFindings(place * 7, one, Findings.empty()) for place, one in enumerate(seconds)
    )
    videos.units.commit(ChunkResult(first, frames, PROVENANCE))
    videos.units.commit(ChunkResult(second, (), None, "nothing there"))

    times = videos.tracks.frame_times(job.id, 0)

    assert times.frame_index.tolist() == [0, 7, 14]
    assert times.pts_seconds.tolist() == list(seconds)
