"""How far a video is, and the annotated copy of it."""

from uuid import UUID

import pytest
from storage_service import NO_LEASE_SECONDS, PIPELINE, Service, result_of
from video_service import FRAMES, TRACKED, VideoService, chunk_of, digest, render_of

from vision.domain.job import Job, Lease, NewJob, VideoProgress
from vision.domain.states import JobState, UnitKind, UnitState
from vision.domain.stored import RenderState, UnitKey
from vision.errors import Conflict, NotFound


def _progress(videos: VideoService, job: Job) -> tuple[VideoProgress, VideoProgress]:
    """Of the job and of its first item."""
    found, item = videos.jobs.get(job.id), videos.jobs.items(job.id, limit=1).items[0]
    assert found.video is not None
    assert item.video is not None
    return found.video, item.video


def _asset(videos: VideoService, job: Job) -> UUID:
    return videos.jobs.items(job.id, limit=1).items[0].asset_id


def _done(videos: VideoService) -> tuple[Job, UUID]:
    job = videos.video_job()
    videos.run()
    return job, _asset(videos, job)


def _render(videos: VideoService, job: Job, asset_id: UUID) -> RenderState:
    found = videos.jobs.render(job.id, asset_id)
    assert found is not None
    return found


def test_job_of_images_has_no_progress_in_frames(service: Service) -> None:
    job = service.job()

    assert (job.video, service.jobs.items(job.id, limit=1).items[0].video) == (None, None)


def test_progress_moves_with_beats_and_commits(videos: VideoService) -> None:
    job = videos.video_job()
    unprobed = _progress(videos, job)
    first, second, _ = videos.probed()
    videos.units.commit(chunk_of(first))
    videos.units.heartbeat([second], lease_seconds=60, frames_done={UnitKey.of(second): 5})
    on_the_way = _progress(videos, job)
    videos.units.commit(chunk_of(second))
    videos.run()
    at_the_end = _progress(videos, job)

    nothing = VideoProgress(0, 0, 0.0, 0.0, 0.0)
    assert unprobed == (nothing, nothing)
    assert on_the_way == (VideoProgress(15, 30, 1.5, 3.0, 0.5),) * 2
    assert [one.frames_done for one in at_the_end] == [20, 20]


def test_progress_is_whole_only_when_the_video_has_ended(videos: VideoService) -> None:
    job = videos.video_job()
    for lease in videos.probed():
        videos.units.commit(chunk_of(lease))
    before = _progress(videos, job)
    videos.run()

    assert [one.fraction for one in before] == [0.99, 0.99]
    assert _progress(videos, job) == (VideoProgress(30, 30, 3.0, 3.0, 1.0),) * 2


def test_fraction_of_a_job_weighs_images_and_videos_alike(videos: VideoService) -> None:
    ids = (videos.video("film"), *(videos.asset(name).id for name in "abc"))
    job, _ = videos.jobs.submit(NewJob(ids, TRACKED, digest(TRACKED)), max_open_units=9)
    first, *_ = videos.probed(2)
    videos.units.commit(chunk_of(first))
    images = videos.claim_kind(UnitKind.IMAGES)
    videos.units.commit(result_of(images))

    found = videos.jobs.get(job.id)

    assert found.video is not None
    assert found.video.fraction == pytest.approx((3 + 0.5) / 4)
    assert videos.jobs.page("default", limit=1).items == (found,)


def test_told_progress_is_forgotten_with_the_lease(videos: VideoService) -> None:
    job = videos.video_job()
    lease = videos.claim_kind(UnitKind.PROBE)
    videos.units.commit(videos.result(lease))
    chunk = videos.claim_kind(UnitKind.CHUNK, seconds=NO_LEASE_SECONDS)
    told = {UnitKey.of(chunk): 5}
    videos.units.heartbeat([chunk], lease_seconds=NO_LEASE_SECONDS, frames_done=told)
    before = _progress(videos, job)[0].frames_done
    videos.units.reap()

    assert (before, _progress(videos, job)[0].frames_done) == (5, 0)


def test_worker_that_tells_too_much_is_not_believed(videos: VideoService) -> None:
    job = videos.video_job()
    first, *_ = videos.probed()
    videos.units.heartbeat([first], lease_seconds=60, frames_done={UnitKey.of(first): 10_000})

    assert _progress(videos, job)[0].frames_done == FRAMES


def test_video_is_drawn_once_asked_for_and_kept(videos: VideoService) -> None:
    job, asset_id = _done(videos)
    never = videos.jobs.render(job.id, asset_id)
    asked = videos.jobs.request_render(job.id, asset_id)
    lease = videos.claim_kind(UnitKind.RENDER)
    half = {UnitKey.of(lease): 15}
    beat = videos.units.heartbeat([lease], lease_seconds=60, frames_done=half)
    drawing = _render(videos, job, asset_id)
    result = render_of(lease)
    committed = [videos.units.commit(result) for _ in range(2)]

    drawn = videos.jobs.request_render(job.id, asset_id)

    assert never is None
    assert (asked.state, asked.fraction) == (UnitState.READY, 0.0)
    assert lease.plan == {"frames": 30}
    assert [one.asset_id for one in lease.items] == [asset_id]
    assert (beat.lost, beat.cancelled) == (frozenset(), frozenset())
    assert (drawing.state, drawing.fraction) == (UnitState.LEASED, 0.5)
    assert committed == [True, True]
    expected = RenderState(UnitState.DONE, result.blob_key, 1234, "video/mp4", None, 1.0)
    assert drawn == _render(videos, job, asset_id) == expected
    assert videos.jobs.get(job.id).state == JobState.SUCCEEDED
    assert videos.value("select count(*) from outbox") == 1


def test_drawing_that_gave_up_says_why_and_can_be_asked_for_again(videos: VideoService) -> None:
    job, asset_id = _done(videos)
    videos.jobs.request_render(job.id, asset_id)
    videos.units.fail(videos.claim_one(), "decode_timeout", "too slow", retryable=False)
    failed = _render(videos, job, asset_id)

    again = videos.jobs.request_render(job.id, asset_id)

    assert failed.state == UnitState.FAILED
    assert failed.error is not None
    assert failed.error.code == "decode_timeout"
    assert (again.state, again.error) == (UnitState.READY, None)
    assert videos.jobs.get(job.id).state == JobState.SUCCEEDED
    with pytest.raises(Conflict):
        videos.jobs.retry(job.id)


def test_drawing_whose_worker_died_is_drawn_by_another(videos: VideoService) -> None:
    job, asset_id = _done(videos)
    videos.jobs.request_render(job.id, asset_id)
    late = videos.claim_kind(UnitKind.RENDER, seconds=NO_LEASE_SECONDS)
    videos.units.reap()
    videos.run()

    assert not videos.units.commit(render_of(late))
    assert _render(videos, job, asset_id).state == UnitState.DONE


def test_video_of_a_cancelled_job_is_drawn_when_it_was_done(videos: VideoService) -> None:
    job = videos.video_job(2, pipeline=PIPELINE)
    for lease in videos.probed(1):
        videos.units.commit(chunk_of(lease))
    videos.jobs.request_render(job.id, _asset(videos, job))
    videos.jobs.cancel(job.id)
    lease = videos.claim_kind(UnitKind.RENDER)
    videos.units.release(lease)
    videos.run()

    assert _render(videos, job, _asset(videos, job)).state == UnitState.DONE
    assert videos.jobs.get(job.id).state == JobState.CANCELLED


def test_drawing_does_not_hold_a_job_open(videos: VideoService) -> None:
    job = videos.video_job(2, pipeline=PIPELINE)
    for lease in videos.probed(1):
        videos.units.commit(chunk_of(lease))
    videos.jobs.request_render(job.id, _asset(videos, job))
    leases: list[Lease] = []
    while claimed := videos.claim():
        leases += claimed
        if claimed[0].kind is not UnitKind.RENDER:
            assert videos.units.commit(videos.result(claimed[0]))

    assert videos.jobs.get(job.id).state == JobState.SUCCEEDED
    assert [lease.kind for lease in leases].count(UnitKind.RENDER) == 1
    with videos.database.begin() as connection:
        connection.exec_driver_sql("update jobs set state = 'running', finished_at = null")
        connection.exec_driver_sql("delete from outbox")
    assert videos.units.finish_stale_jobs() == 1


def test_drawing_a_video_does_not_start_a_queued_job(videos: VideoService) -> None:
    job, asset_id = _done(videos)
    changed = {**TRACKED, "track": {"algorithm": "sort"}}
    videos.jobs.retrack(job.id, pipeline=changed, pipeline_sha256=digest(changed))
    videos.jobs.request_render(job.id, asset_id)
    videos.claim_kind(UnitKind.TRACK)
    with videos.database.begin() as connection:
        connection.exec_driver_sql("update jobs set state = 'queued'")

    videos.claim_kind(UnitKind.RENDER)

    assert videos.jobs.get(job.id).state == JobState.QUEUED


def test_what_is_drawn_goes_when_its_tracks_change(videos: VideoService) -> None:
    job, asset_id = _done(videos)
    videos.jobs.request_render(job.id, asset_id)
    videos.run()
    kept = _render(videos, job, asset_id).blob_key

    changed = {**TRACKED, "track": {"algorithm": "sort"}}
    videos.jobs.retrack(job.id, pipeline=changed, pipeline_sha256=digest(changed))

    assert videos.jobs.render(job.id, asset_id) is None
    assert kept in videos.assets.doomed()


def test_what_is_being_drawn_begins_again_when_its_tracks_change(videos: VideoService) -> None:
    job, asset_id = _done(videos)
    changed = {**TRACKED, "track": {"algorithm": "sort"}}
    videos.jobs.retrack(job.id, pipeline=changed, pipeline_sha256=digest(changed))
    tracking = videos.claim_kind(UnitKind.TRACK)
    videos.jobs.request_render(job.id, asset_id)
    drawing = videos.claim_kind(UnitKind.RENDER)
    videos.units.commit(videos.tracked(tracking))

    refused = videos.units.commit(render_of(drawing))
    beat = videos.units.heartbeat([drawing], lease_seconds=60)
    again = videos.claim_kind(UnitKind.RENDER)

    assert not refused
    assert beat.lost == {UnitKey.of(drawing)}
    assert again.attempt == drawing.attempt + 1
    assert videos.units.commit(render_of(again))


def test_drawing_is_refused_for_images_and_without_results(videos: VideoService) -> None:
    image = videos.job()
    videos.units.commit(result_of(videos.claim_one()))
    film = videos.video_job()

    for job in (image, film):
        with pytest.raises(Conflict):
            videos.jobs.request_render(job.id, _asset(videos, job))
    with pytest.raises(NotFound):
        videos.jobs.request_render(film.id, _asset(videos, film), "other")
    with pytest.raises(NotFound):
        videos.jobs.request_render(film.id, UUID(int=1))
    with pytest.raises(NotFound):
        videos.jobs.render(film.id, UUID(int=1))
