"""Erasing a video or its job in every state: no row stays, no blob is forgotten."""

from collections.abc import Callable

import pytest
from storage_service import NO_LEASE_SECONDS
from video_service import VideoService, render_of

from vision.domain.job import Item, ItemFailure, Job, Lease
from vision.domain.states import UnitKind
from vision.domain.stored import StoredTrack, TrackFilter, UnitKey

LEFT_OF_A_JOB = {
    "doomed_blobs",
    "job_provenances",
    "jobs",
    "outbox",
    "provenances",
    "tenants",
}


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


def _tracks(videos: VideoService, job: Job) -> list[StoredTrack]:
    return list(videos.tracks.stream(TrackFilter(job.id)))


STAGES: dict[str, Callable[[VideoService], object]] = {
    "submitted": lambda _: None,
    "probing": lambda videos: _up_to(videos, UnitKind.PROBE),
    "in chunks": lambda videos: _up_to(videos, UnitKind.CHUNK),
    "following": lambda videos: _up_to(videos, UnitKind.TRACK),
    "done": lambda videos: videos.run(),
    "drawn": lambda videos: _drawn(videos),
}


def _drawn(videos: VideoService) -> None:
    videos.run()
    (job,) = videos.jobs.page("default", limit=2).items
    videos.jobs.request_render(job.id, _item(videos, job).asset_id)
    assert videos.units.commit(render_of(videos.claim_kind(UnitKind.RENDER)))


@pytest.mark.parametrize("stage", STAGES)
def test_erased_video_leaves_no_row_and_dooms_every_blob(videos: VideoService, stage: str) -> None:
    job = videos.video_job()
    item = _item(videos, job)
    STAGES[stage](videos)
    derived = _derived_keys(videos)

    keys = videos.assets.delete(item.asset_id)

    found = videos.jobs.get(job.id)
    left = videos.tables_with_rows()
    assert {"done": 1, "drawn": 2}.get(stage, 0) == len(derived)
    assert set(keys) == set(videos.assets.doomed()) >= derived
    assert len(keys) == 1 + len(derived)
    assert (found.items_total, found.items_done) == (0, 0)
    assert found.video is not None
    assert (found.video.frames_total, found.video.seconds_done) == (0, 0.0)
    assert set(left) <= {
        "doomed_blobs",
        "job_provenances",
        "jobs",
        "outbox",
        "provenances",
        "tenants",
    }
    assert videos.claim() == ()


@pytest.mark.parametrize("stage", STAGES)
def test_deleted_job_leaves_no_row_and_dooms_every_blob(videos: VideoService, stage: str) -> None:
    job = videos.video_job()
    STAGES[stage](videos)
    derived = _derived_keys(videos)

    videos.jobs.delete(job.id)

    left = videos.tables_with_rows()
    assert set(left) <= {"assets", "doomed_blobs", "provenances", "tenants"}
    assert set(videos.assets.doomed()) == derived
    assert videos.claim() == ()


def test_deletion_goes_through_more_rows_than_one_transaction_takes(
    videos: VideoService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vision.storage.erasure.ROWS_PER_DELETE", 7)
    job = _done(videos, 2)

    videos.jobs.delete(job.id)

    assert videos.rows(job.id) == 0


def test_erasing_one_of_two_videos_leaves_the_other_whole(videos: VideoService) -> None:
    job = _done(videos, 2)
    kept = _item(videos, job, 1)

    videos.assets.delete(_item(videos, job).asset_id)

    found = videos.jobs.get(job.id)
    assert videos.jobs.items(job.id, limit=9).items == (kept,)
    assert (videos.rows(job.id), len(_tracks(videos, job))) == (30, 2)
    assert found.video is not None
    assert (found.video.frames_done, found.video.fraction) == (30, 1.0)
    assert {(one.detections, one.items) for one in videos.detections.counts(job.id)} == {(15, 1)}


def test_blobs_of_results_are_no_orphans(videos: VideoService) -> None:
    videos.video_job()
    _drawn(videos)
    derived = _derived_keys(videos)
    stray = render_of(Lease(*[None] * 8)).blob_key  # type: ignore[arg-type]

    assert videos.assets.unreferenced([*derived, stray]) == (stray,)


def test_lease_that_ran_out_on_an_erased_video_is_forgotten(videos: VideoService) -> None:
    job = videos.video_job()
    lease = videos.claim_kind(UnitKind.PROBE, seconds=NO_LEASE_SECONDS)
    videos.assets.delete(lease.items[0].asset_id)

    assert videos.units.reap() == 0
    assert videos.units.heartbeat([lease], lease_seconds=60).cancelled == {UnitKey.of(lease)}
    assert videos.jobs.get(job.id).error == ItemFailure(
        "assets_erased", "all of its assets were erased"
    )


def _derived_keys(videos: VideoService) -> set[str]:
    count = videos.value("select count(*) from derived_blobs")
    with videos.database.read() as connection:
        query = "select blob_key from derived_blobs"
        keys = set(connection.exec_driver_sql(query).scalars())
    assert len(keys) == count
    return keys
