"""What owners do to jobs with videos: cancel, retry, follow objects again."""

from dataclasses import replace

import pytest
from storage_service import PIPELINE, result_of
from video_service import PARAMETERS, TRACKED, VideoService, chunk_of, digest

from vision.domain.job import Item, Job, Lease, NewJob
from vision.domain.states import ItemState, JobState, UnitKind
from vision.domain.stored import DetectionFilter, StoredTrack, TrackFilter, UnitKey
from vision.errors import Conflict, NotFound

RETRACKED = {**PIPELINE, "track": {"algorithm": "ocsort"}}
KINDS = [UnitKind.PROBE, UnitKind.CHUNK, UnitKind.TRACK]


def _item(videos: VideoService, job: Job, index: int = 0) -> Item:
    return videos.jobs.items(job.id, limit=100).items[index]


def _done(videos: VideoService, count: int = 1) -> Job:
    job = videos.video_job(count)
    videos.run()
    return videos.jobs.get(job.id)


def _up_to(videos: VideoService, kind: UnitKind) -> Lease:
    """Works until the next unit is of that kind, and claims it."""
    while True:
        lease = videos.claim_one()
        if lease.kind is kind:
            return lease
        assert videos.units.commit(videos.result(lease))


def _retrack(videos: VideoService, job: Job) -> Job:
    return videos.jobs.retrack(job.id, pipeline=RETRACKED, pipeline_sha256=digest(RETRACKED))


def _tracks(videos: VideoService, job: Job) -> list[StoredTrack]:
    return list(videos.tracks.stream(TrackFilter(job.id)))


def _open_units(videos: VideoService) -> object:
    return videos.value("select count(*) from units where state in ('waiting', 'ready', 'leased')")


@pytest.mark.parametrize("kind", KINDS)
def test_cancel_while_a_unit_is_worked_on_keeps_what_was_stored(
    videos: VideoService, kind: UnitKind
) -> None:
    job = videos.video_job()
    lease = _up_to(videos, kind)
    result = videos.result(lease)
    stored = videos.rows(job.id)

    cancelled = videos.jobs.cancel(job.id)
    beat = videos.units.heartbeat([lease], lease_seconds=60)
    committed = videos.units.commit(result)

    assert (cancelled.state, committed) == (JobState.CANCELLED, False)
    assert beat.cancelled == {UnitKey.of(lease)}
    assert _item(videos, job).state == ItemState.CANCELLED
    assert (videos.rows(job.id), _open_units(videos)) == (stored, 0)
    assert videos.claim() == ()


@pytest.mark.parametrize("kind", KINDS)
def test_cancel_between_units_leaves_nothing_to_do(videos: VideoService, kind: UnitKind) -> None:
    job = videos.video_job()
    videos.units.release(_up_to(videos, kind))

    videos.jobs.cancel(job.id)

    assert (videos.claim(), _open_units(videos)) == ((), 0)
    assert videos.value("select count(*) from outbox") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_released_unit_runs_again_without_a_failure(videos: VideoService, kind: UnitKind) -> None:
    job = videos.video_job()
    videos.units.release(_up_to(videos, kind))

    again = videos.claim_kind(kind)

    assert again.fails == 0
    assert videos.units.commit(videos.result(again))
    videos.run()
    assert videos.jobs.get(job.id).state == JobState.SUCCEEDED


def test_retry_runs_lost_chunks_only_and_follows_objects_again(videos: VideoService) -> None:
    job = videos.video_job()
    first, second, third = videos.probed()
    videos.units.commit(chunk_of(first))
    videos.units.fail(second, "decode_timeout", "", retryable=False)
    videos.units.commit(chunk_of(third))
    videos.run()
    partial, old_crops = videos.jobs.get(job.id), _tracks(videos, job)[0].crops_blob_key

    retried = videos.jobs.retry(job.id)
    pending = _item(videos, job)
    kinds = []
    while leases := videos.claim():
        kinds.append((leases[0].kind, leases[0].chunk))
        assert videos.units.commit(videos.result(leases[0]))

    done, item = videos.jobs.get(job.id), _item(videos, job)
    assert (partial.state, partial.items_done) == (JobState.PARTIAL, 1)
    assert (retried.state, retried.items_done, retried.items_failed) == (JobState.QUEUED, 0, 0)
    assert (pending.state, pending.detections, pending.warnings) == (ItemState.PENDING, 20, ())
    assert [kind for kind, _ in kinds] == [UnitKind.CHUNK, UnitKind.TRACK]
    assert kinds[0][1] == 2
    assert (done.state, done.items_done, item.state) == (JobState.SUCCEEDED, 1, ItemState.DONE)
    assert (item.detections, item.counts) == (30, {"dog": 15, "car": 15})
    assert done.video is not None
    assert (done.video.frames_done, done.video.frames_total) == (30, 30)
    assert old_crops in videos.assets.doomed()
    assert {one.track.detections for one in _tracks(videos, job)} == {15}


def test_retry_of_a_video_that_failed_as_a_whole(videos: VideoService) -> None:
    job = videos.video_job()
    for lease in videos.probed():
        videos.units.fail(lease, "out_of_memory", "", retryable=False)
    failed = videos.jobs.get(job.id)

    videos.jobs.retry(job.id)
    videos.run()

    done = videos.jobs.get(job.id)
    assert (failed.state, failed.items_failed) == (JobState.FAILED, 1)
    assert (done.state, done.items_done, done.items_failed) == (JobState.SUCCEEDED, 1, 0)
    assert _item(videos, job).error is None


def test_retry_after_lost_tracking_only_follows(videos: VideoService) -> None:
    job = videos.video_job()
    lease = _up_to(videos, UnitKind.TRACK)
    videos.units.fail(lease, "out_of_memory", "", retryable=False)

    videos.jobs.retry(job.id)
    again = videos.claim_kind(UnitKind.TRACK)
    waiting = _item(videos, job)
    videos.units.commit(videos.tracked(again))

    item = _item(videos, job)
    assert (waiting.state, waiting.detections) == (ItemState.PARTIAL, 30)
    assert (item.state, item.warnings) == (ItemState.DONE, ())
    assert videos.jobs.get(job.id).state == JobState.SUCCEEDED


def test_retry_of_a_failed_probe_and_a_failed_image_together(videos: VideoService) -> None:
    ids = (videos.video("film"), videos.asset("image").id, videos.asset("good").id)
    new = NewJob(ids, TRACKED, digest(TRACKED), items_per_unit=1)
    job, _ = videos.jobs.submit(new, max_open_units=9)
    while leases := videos.claim():
        for lease in leases:
            if lease.item < 2:
                videos.units.fail(lease, "worker_lost", "", retryable=False)
            else:
                videos.units.commit(result_of(lease))
    before = videos.jobs.get(job.id)

    retried = videos.jobs.retry(job.id)
    while leases := videos.claim():
        for lease in leases:
            is_image = lease.kind is UnitKind.IMAGES
            assert videos.units.commit(result_of(lease) if is_image else videos.result(lease))

    done = videos.jobs.get(job.id)
    assert (before.items_done, before.items_failed) == (1, 2)
    assert (retried.items_done, retried.items_failed) == (1, 0)
    assert (done.state, done.items_done) == (JobState.SUCCEEDED, 3)


def test_damage_cannot_be_retried(videos: VideoService) -> None:
    job = videos.video_job()
    for lease in videos.probed():
        videos.units.commit(chunk_of(lease, damage="broken"))
    videos.run()

    assert videos.jobs.get(job.id).state == JobState.PARTIAL
    with pytest.raises(Conflict):
        videos.jobs.retry(job.id)


def test_old_tracks_stay_readable_until_new_ones_take_their_place(videos: VideoService) -> None:
    job = _done(videos)
    before = _tracks(videos, job)
    old_crops = before[0].crops_blob_key
    again = _retrack(videos, job)
    lease = videos.claim_kind(UnitKind.TRACK)

    between, item = _tracks(videos, job), _item(videos, job)
    columns = videos.tracks.columns(job.id, 0)
    fewer = videos.tracked(lease, parameters={"algorithm": "ocsort"})
    ids = fewer.track_ids.copy()
    ids[ids == 2] = 0
    fewer = replace(fewer, track_ids=ids, tracks=fewer.tracks[:1], crops=fewer.crops[:1])
    assert videos.units.commit(fewer)

    rows = list(videos.detections.stream(DetectionFilter(job_id=job.id)))
    done = videos.jobs.get(job.id)
    assert (again.state, again.pipeline, again.items_done) == (JobState.QUEUED, RETRACKED, 1)
    assert again.pipeline_sha256 == digest(RETRACKED)
    assert [one.track.track_id for one in between] == [1, 2]
    assert (between[0].crops_blob_key, item.state) == (old_crops, ItemState.DONE)
    assert item.track_parameters == PARAMETERS
    assert lease.pipeline == RETRACKED
    assert len(columns) == 30
    assert [one.track.track_id for one in _tracks(videos, job)] == [1]
    assert [row.track_id for row in rows] == [None, 1] * 15
    assert old_crops in videos.assets.doomed()
    assert fewer.crops_blob_key not in videos.assets.doomed()
    assert (done.state, done.items_done) == (JobState.SUCCEEDED, 1)
    assert _item(videos, job).track_parameters == {"algorithm": "ocsort"}
    assert videos.value("select max(run) from outbox") == 2


def test_job_that_followed_nothing_can_be_told_to(videos: VideoService) -> None:
    job = videos.video_job(2, pipeline=PIPELINE)
    videos.run()

    _retrack(videos, job)
    videos.run()

    assert videos.jobs.get(job.id).state == JobState.SUCCEEDED
    ids = [one.track.track_id for one in _tracks(videos, job)]
    assert ids == [1, 2, 1_000_001, 1_000_002]


def test_following_again_that_fails_leaves_the_old_tracks(videos: VideoService) -> None:
    job = _done(videos)
    _retrack(videos, job)
    lease = videos.claim_kind(UnitKind.TRACK)
    videos.units.fail(lease, "out_of_memory", "", retryable=False)

    found, item = videos.jobs.get(job.id), _item(videos, job)

    assert (found.state, found.items_done, item.state) == (
        JobState.PARTIAL,
        1,
        ItemState.PARTIAL,
    )
    assert len(_tracks(videos, job)) == 2


def test_cancelled_following_can_be_asked_for_once_more(videos: VideoService) -> None:
    job = _done(videos)
    _retrack(videos, job)
    late = videos.claim_kind(UnitKind.TRACK)
    cancelled = videos.jobs.cancel(job.id)
    refused = videos.units.commit(videos.tracked(late))

    _retrack(videos, job)
    videos.run()

    assert (cancelled.state, refused) == (JobState.CANCELLED, False)
    assert videos.jobs.get(job.id).state == JobState.SUCCEEDED
    assert _item(videos, job).state == ItemState.DONE


def test_job_that_was_cancelled_half_way_stays_cancelled_after_following(
    videos: VideoService,
) -> None:
    job = videos.video_job(2)
    for _ in range(5):
        lease = videos.claim_one()
        assert videos.units.commit(videos.result(lease))
    videos.jobs.cancel(job.id)

    _retrack(videos, job)
    videos.run()

    found = videos.jobs.get(job.id)
    assert (found.state, found.items_done) == (JobState.CANCELLED, 1)


def test_following_again_is_refused_where_there_is_nothing_to_follow(
    videos: VideoService,
) -> None:
    running = videos.video_job(prefix="running")
    videos.jobs.cancel(running.id)
    images = videos.job(prefix="image")
    videos.units.commit(result_of(videos.claim_one()))
    open_job = videos.video_job(prefix="open")

    for job in (running, images, open_job):
        with pytest.raises(Conflict):
            _retrack(videos, job)
    with pytest.raises(NotFound):
        videos.jobs.retrack(open_job.id, "other", pipeline=RETRACKED, pipeline_sha256="")
