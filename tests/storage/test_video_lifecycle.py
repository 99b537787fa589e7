"""A video from submit to its end: probe, chunks in any order, tracks, what is damaged or lost."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from storage_service import NO_LEASE_SECONDS, PIPELINE, PROVENANCE, result_of, some_detections
from video_service import (
    FRAMES,
    PARAMETERS,
    TRACKED,
    VIDEO,
    VideoService,
    chunk,
    chunk_of,
    digest,
    probe_of,
    track_of,
)

from vision.domain.detections import Detections
from vision.domain.job import (
    TRACK_CHUNK,
    Item,
    Job,
    Lease,
    NewJob,
)
from vision.domain.states import ItemState, JobState, UnitKind
from vision.domain.stored import DetectionFilter
from vision.domain.video import Chunk


def _item(videos: VideoService, job: Job, index: int = 0) -> Item:
    return videos.jobs.items(job.id, limit=100).items[index]


def _fail(videos: VideoService, lease: Lease, code: str = "video_corrupt") -> None:
    videos.units.fail(lease, code, "no sense in it", retryable=False)


def _track(videos: VideoService) -> None:
    lease = videos.claim_kind(UnitKind.TRACK)
    assert videos.units.commit(videos.tracked(lease))


def test_video_runs_from_probe_over_chunks_to_tracks(videos: VideoService) -> None:
    job = videos.video_job()
    kinds = []
    while leases := videos.claim():
        (lease,) = leases
        kinds.append(lease.kind)
        assert videos.units.commit(videos.result(lease))

    done, item = videos.jobs.get(job.id), _item(videos, job)

    assert kinds == [UnitKind.PROBE, *[UnitKind.CHUNK] * 3, UnitKind.TRACK]
    assert (done.state, done.items_done, done.error) == (JobState.SUCCEEDED, 1, None)
    assert (item.state, item.warnings, item.frames_declared) == (ItemState.DONE, (), 3 * FRAMES)
    assert (item.detections, item.counts) == (30, {"car": 15, "dog": 15})
    assert item.facts == replace(VIDEO, frame_count=30)
    assert item.provenance_digest == PROVENANCE.digest
    assert item.track_parameters == PARAMETERS
    assert videos.value("select count(*) from outbox") == 1


def test_video_without_following_ends_with_its_last_chunk(videos: VideoService) -> None:
    job = videos.video_job(pipeline=PIPELINE)
    videos.run()

    assert videos.jobs.get(job.id).state == JobState.SUCCEEDED
    assert _item(videos, job).track_parameters is None


def test_lease_of_a_chunk_says_what_to_read(videos: VideoService) -> None:
    job = videos.video_job()
    first, second, third = videos.probed()

    assert [Chunk.from_json(one.plan or {}) for one in (first, second, third)] == [
        chunk(1),
        chunk(2),
        chunk(3),
    ]
    assert [one.chunk for one in (first, second, third)] == [1, 2, 3]
    assert {one.items[0].filename for one in (first, second, third)} == {"video 0.mp4"}
    assert (second.job_id, second.item, second.tenant) == (job.id, 0, "default")


def test_images_and_videos_of_one_job_are_shared_out_in_runs(videos: VideoService) -> None:
    names = ["a", "b", "film", "c", "d", "e"]
    ids = tuple(videos.video(n) if n == "film" else videos.asset(n).id for n in names)
    new = NewJob(ids, TRACKED, digest(TRACKED), items_per_unit=2)
    job, _ = videos.jobs.submit(new, max_open_units=4)

    units = []
    while leases := videos.claim():
        units += [(one.kind, [item.index for item in one.items]) for one in leases]

    assert sorted(units, key=lambda unit: unit[1]) == [
        (UnitKind.IMAGES, [0, 1]),
        (UnitKind.PROBE, [2]),
        (UnitKind.IMAGES, [3, 4]),
        (UnitKind.IMAGES, [5]),
    ]
    assert job.video is not None


def test_unit_of_a_video_comes_alone(videos: VideoService) -> None:
    videos.video_job(pipeline=PIPELINE)
    for number in range(3):
        videos.job(prefix=f"job {number}", pipeline_sha256=digest(PIPELINE))

    sizes = [[lease.kind for lease in videos.claim()] for _ in range(2)]

    assert sizes == [[UnitKind.PROBE], [UnitKind.IMAGES] * 3]


def test_images_take_no_video_of_their_pipeline_along(videos: VideoService) -> None:
    videos.job(prefix="first", pipeline_sha256=digest(PIPELINE))
    videos.video_job(pipeline=PIPELINE)
    videos.job(prefix="last", pipeline_sha256=digest(PIPELINE))

    kinds = [[lease.kind for lease in videos.claim()] for _ in range(2)]

    assert kinds == [[UnitKind.IMAGES] * 2, [UnitKind.PROBE]]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_every_order_of_commits_gives_the_same_rows(
    videos: VideoService, order: tuple[int, ...]
) -> None:
    job = videos.video_job()
    leases = videos.probed()
    for number in order:
        assert videos.claim() == ()
        assert videos.units.commit(chunk_of(leases[number]))
    _track(videos)

    rows = list(videos.detections.stream(DetectionFilter(job_id=job.id)))

    assert [row.frame_index for row in rows] == [n for n in range(0, 30, 2) for _ in range(2)]
    assert [row.pts_seconds for row in rows] == [n / 10 for n in range(0, 30, 2) for _ in range(2)]
    assert [row.track_id for row in rows] == [2, 1] * 15
    counts = [(one.label, one.detections, one.items) for one in videos.detections.counts(job.id)]
    assert counts == [("car", 15, 1), ("dog", 15, 1)]
    assert videos.jobs.get(job.id).state == JobState.SUCCEEDED


def test_video_in_which_nothing_is_found_is_done(videos: VideoService) -> None:
    job = videos.video_job()
    for lease in videos.probed():
        assert videos.units.commit(chunk_of(lease, Detections.empty()))
    _track(videos)

    item = _item(videos, job)

    assert (item.state, item.detections, item.counts) == (ItemState.DONE, 0, {})
    assert len(videos.tracks.frame_times(job.id, 0)) == 30


def test_second_commit_of_each_kind_is_answered_and_changes_nothing(videos: VideoService) -> None:
    job = videos.video_job()
    while leases := videos.claim():
        result = videos.result(leases[0])
        assert [videos.units.commit(result) for _ in range(2)] == [True, True]

    found = videos.jobs.get(job.id)
    assert (found.items_done, videos.rows(job.id)) == (1, 30)
    assert found.video is not None
    assert found.video.frames_done == 30


@pytest.mark.parametrize("kind", [UnitKind.PROBE, UnitKind.CHUNK, UnitKind.TRACK])
def test_late_commit_of_a_lost_lease_is_refused(videos: VideoService, kind: UnitKind) -> None:
    job = videos.video_job()
    late = _up_to(videos, kind, seconds=NO_LEASE_SECONDS)
    result = videos.result(late)
    assert videos.units.reap() == 1
    before = videos.tables_with_rows()

    refused = videos.units.commit(result)

    assert not refused
    assert videos.tables_with_rows() == before
    again = videos.claim_kind(kind)
    assert (again.attempt, again.fails) == (late.attempt + 1, 1)
    assert videos.units.commit(videos.result(again))
    videos.run()
    assert videos.jobs.get(job.id).state == JobState.SUCCEEDED
    assert videos.rows(job.id) == 30


@pytest.mark.parametrize("kind", [UnitKind.PROBE, UnitKind.CHUNK, UnitKind.TRACK])
def test_unit_that_kills_its_worker_thrice_is_quarantined(
    videos: VideoService, kind: UnitKind
) -> None:
    job = videos.video_job()
    for _ in range(3):
        _up_to(videos, kind, seconds=NO_LEASE_SECONDS)
        assert videos.units.reap() == 1
    videos.run()

    ended, item = videos.jobs.get(job.id), _item(videos, job)

    assert videos.jobs.active_summary().quarantined == 1
    expected = (JobState.FAILED if kind is UnitKind.PROBE else JobState.PARTIAL, 30)
    kept = {UnitKind.PROBE: 0, UnitKind.CHUNK: 20, UnitKind.TRACK: 30}[kind]
    assert (ended.state, videos.rows(job.id)) == (expected[0], kept)
    said = str(item.error) if kind is UnitKind.PROBE else " ".join(item.warnings)
    assert "worker_lost" in said


def _up_to(videos: VideoService, kind: UnitKind, *, seconds: float) -> Lease:
    """Works until the next unit is of that kind, and claims it."""
    while True:
        lease = videos.claim_one(seconds=seconds)
        if lease.kind is kind:
            return lease
        assert videos.units.commit(videos.result(lease))


def test_asset_erased_while_a_chunk_is_worked_on_gets_no_results(videos: VideoService) -> None:
    job = videos.video_job(2)
    first, second, _ = videos.probed()
    videos.units.commit(chunk_of(first))
    videos.assets.delete(first.items[0].asset_id)

    refused = videos.units.commit(chunk_of(second))
    videos.run()

    found = videos.jobs.get(job.id)
    assert not refused
    assert (found.state, found.items_total, found.items_done) == (JobState.SUCCEEDED, 1, 1)
    assert [item.index for item in videos.jobs.items(job.id, limit=9).items] == [1]
    assert videos.rows(job.id) == 30
    assert {one.detections for one in videos.detections.counts(job.id)} == {15}


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda lease: probe_of(lease), id="another kind"),
        pytest.param(lambda lease: result_of(lease), id="of images"),
        pytest.param(
            lambda lease: replace(chunk_of(lease), frames=chunk_of(lease).frames[::-1]),
            id="backwards",
        ),
        pytest.param(
            lambda lease: chunk_of(
                lease, replace(some_detections(), scores=np.full(2, np.nan, np.float32))
            ),
            id="not finite",
        ),
    ],
)
def test_result_that_does_not_fit_is_refused_loudly(videos: VideoService, wrong: object) -> None:
    videos.video_job()
    lease = videos.probed()[0]

    with pytest.raises(ValueError, match=r"result|order|finite"):
        videos.units.commit(wrong(lease))  # type: ignore[operator]
    assert videos.units.commit(chunk_of(lease))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"track_ids": np.zeros(3, np.int64)}, id="too few numbers"),
        pytest.param({"track_ids": np.full(30, 7, np.int64)}, id="unknown track"),
        pytest.param({"crops": ()}, id="crops missing"),
    ],
)
def test_tracks_that_do_not_fit_the_detections_are_refused_loudly(
    videos: VideoService, changes: dict[str, object]
) -> None:
    videos.video_job()
    for lease in videos.probed():
        videos.units.commit(chunk_of(lease))
    lease = videos.claim_kind(UnitKind.TRACK)
    good = videos.tracked(lease)

    with pytest.raises(ValueError, match="track"):
        videos.units.commit(replace(good, **changes))  # type: ignore[arg-type]
    assert videos.units.commit(good)


def test_chunks_without_a_gap_are_demanded_of_a_probe(videos: VideoService) -> None:
    videos.video_job()
    lease = videos.claim_kind(UnitKind.PROBE)
    good = probe_of(lease)

    for chunks in ((), good.chunks[1:]):
        with pytest.raises(ValueError, match="numbered from 1"):
            videos.units.commit(replace(good, chunks=chunks))
    assert videos.units.commit(good)


def test_chunks_of_an_accepted_job_are_not_refused_by_the_limit(videos: VideoService) -> None:
    new = NewJob((videos.video("long"),), TRACKED, digest(TRACKED))
    job, _ = videos.jobs.submit(new, max_open_units=1)
    videos.run(chunks=20)

    assert videos.jobs.get(job.id).state == JobState.SUCCEEDED


def test_detections_without_a_track_keep_none(videos: VideoService) -> None:
    job = videos.video_job()
    for lease in videos.probed(1):
        videos.units.commit(chunk_of(lease, some_detections(("unicorn", "dog"))))
    lease = videos.claim_kind(UnitKind.TRACK)
    labels = videos.tracks.columns(job.id, 0).labels.tolist()
    assert videos.units.commit(track_of(lease, labels))

    rows = videos.detections.stream(DetectionFilter(job_id=job.id))

    assert [row.track_id for row in rows] == [None, 1] * 5
    assert lease.chunk == TRACK_CHUNK
