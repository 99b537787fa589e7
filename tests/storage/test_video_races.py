"""Workers at one video at the same moment: real threads on both databases."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from video_service import VideoService, chunk_of, render_of

from vision.domain.job import Job, Lease
from vision.domain.states import JobState, UnitKind
from vision.domain.stored import DetectionFilter, TrackFilter, UnitKey
from vision.storage.leases import is_unit
from vision.storage.tables import units

T = TypeVar("T")


def _together(count: int, action: Callable[[int], T]) -> list[T]:
    """All start at the same moment."""
    gate = threading.Barrier(count)

    def run(number: int) -> T:
        gate.wait()
        return action(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_last_chunks_committed_together_ready_the_tracking_exactly_once(
    videos: VideoService,
) -> None:
    for number in range(5):
        job = videos.video_job(prefix=f"round {number}")
        leases = videos.probed(4)

        answers = _commit_together(videos, leases)

        tracking = videos.claim_kind(UnitKind.TRACK)
        assert answers == [True] * 4
        assert videos.claim() == ()
        assert videos.units.commit(videos.tracked(tracking))
        assert videos.jobs.get(job.id).state == JobState.SUCCEEDED
    assert videos.value("select count(*) from outbox") == 5


def test_chunk_committed_and_chunk_given_up_together_end_the_video_once(
    videos: VideoService,
) -> None:
    for number in range(5):
        job = videos.video_job(prefix=f"round {number}", pipeline={"detect": {}})
        good, bad = videos.probed(2)

        def act(actor: int, good: Lease = good, bad: Lease = bad) -> None:
            if actor:
                videos.units.fail(bad, "video_corrupt", "", retryable=False)
            else:
                assert videos.units.commit(chunk_of(good))

        _together(2, act)

        found = videos.jobs.get(job.id)
        assert (found.state, found.items_done) == (JobState.PARTIAL, 1)
    assert videos.value("select count(*) from outbox") == 5


def test_two_owners_of_one_chunk_commit_at_once_and_only_the_newer_counts(
    videos: VideoService,
) -> None:
    for number in range(5):
        job = videos.video_job(prefix=f"round {number}", pipeline={"detect": {}})
        (old,) = videos.probed(1)
        with videos.database.begin() as connection:
            late = units.update().where(is_unit(old)).values(lease_until=0.0)
            connection.execute(late)
        videos.units.reap()
        new = videos.claim_kind(UnitKind.CHUNK)

        answers = _commit_together(videos, [old, new])

        assert answers == [False, True]
        assert videos.rows(job.id) == 10


def test_many_workers_at_many_videos_give_what_one_gives(videos: VideoService) -> None:
    job = videos.video_job(4)
    seen: Counter[UnitKey] = Counter()

    def work(number: int) -> None:
        while videos.jobs.get(job.id).state in (JobState.QUEUED, JobState.RUNNING):
            for lease in videos.claim(f"worker {number}"):
                seen[UnitKey.of(lease)] += 1
                videos.units.heartbeat([lease], lease_seconds=60)
                assert videos.units.commit(videos.result(lease))

    _together(4, work)

    assert set(seen.values()) == {1}
    assert len(seen) == 4 * 5
    rows = [
        (row.item, row.frame_index, row.label, row.track_id)
        for row in videos.detections.stream(DetectionFilter(job_id=job.id))
    ]
    assert rows == [
        (item, frame, label, item * 1_000_000 + (1 if label == "car" else 2))
        for item in range(4)
        for frame in range(0, 30, 2)
        for label in ("dog", "car")
    ]
    assert len(list(videos.tracks.stream(TrackFilter(job.id)))) == 8
    assert videos.value("select count(*) from outbox") == 1


def test_cancel_deletion_and_erasure_win_against_workers_or_lose_cleanly(
    videos: VideoService,
) -> None:
    enders: list[Callable[[Job], object]] = [
        lambda job: videos.jobs.cancel(job.id),
        lambda job: videos.jobs.delete(job.id),
        lambda _: videos.assets.delete(videos.video("race 0")),
    ]
    for end in enders:
        for _ in range(3):
            job = videos.video_job(prefix="race")

            def act(actor: int, job: Job = job, end: Callable[[Job], object] = end) -> None:
                if actor == 0:
                    end(job)
                    return
                for _ in range(6):
                    for lease in videos.claim(f"worker {actor}"):
                        if lease.items:
                            videos.units.commit(videos.result(lease))

            _together(3, act)

            assert videos.claim() == ()
            left = videos.value("select count(*) from units where state = 'leased'")
            assert left == 0
            videos.assets.delete(videos.video("race 0"))
    counts = videos.tables_with_rows()
    assert set(counts) <= {
        "doomed_blobs",
        "job_provenances",
        "jobs",
        "outbox",
        "provenances",
        "tenants",
    }


def test_drawings_asked_for_together_are_one(videos: VideoService) -> None:
    job = videos.video_job()
    videos.run()
    asset_id = videos.jobs.items(job.id, limit=1).items[0].asset_id

    states = _together(6, lambda _: videos.jobs.request_render(job.id, asset_id).state)

    lease = videos.claim_kind(UnitKind.RENDER)
    assert set(states) == {"ready"}
    assert videos.claim() == ()
    assert videos.units.commit(render_of(lease))


def test_beat_does_not_wait_for_a_commit_that_takes_long(videos: VideoService) -> None:
    """On SQLite there is one writer: there the beat comes after it."""
    videos.video_job()
    first, second, _ = videos.probed()
    if not videos.database.is_postgresql:
        return
    with videos.database.begin() as connection:
        connection.execute(units.select().where(is_unit(first)).with_for_update())

        beat = videos.units.heartbeat([first, second], lease_seconds=3600)

    assert (beat.lost, beat.cancelled) == (frozenset(), frozenset())
    renewed = "select count(*) from units where state = 'leased' and lease_until > {now} + 1800"
    now = "extract(epoch from clock_timestamp())"
    assert videos.value(renewed.format(now=now)) == 1


def _commit_together(videos: VideoService, leases: list[Lease]) -> list[bool]:
    return _together(len(leases), lambda number: videos.units.commit(chunk_of(leases[number])))
