"""Chunks of a followed video in the database: which may begin, with what, and what is kept."""

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select
from storage_service import PIPELINE
from video_service import VideoService, chunk_of, probe_of

from vision.domain.chain import Link
from vision.domain.job import TRACK_CHUNK, ChunkResult, Job, Lease
from vision.domain.states import JobState, UnitKind, UnitState
from vision.storage.blobs import new_key
from vision.storage.tables import doomed_blobs, units
from vision.storage.video_tables import derived_blobs

FOLLOWED = {**PIPELINE, "follow": {"model": "color"}}
CHUNKS = 4


def followed_job(videos: VideoService, *links: Link) -> Job:
    """Probed; one chunk for each link."""
    job = videos.video_job(pipeline=FOLLOWED)
    probe = probe_of(videos.claim_kind(UnitKind.PROBE), len(links))
    chunks = zip(probe.chunks, links, strict=True)
    linked = tuple(replace(chunk, link=link) for chunk, link in chunks)
    assert videos.units.commit(replace(probe, chunks=linked))
    return job


def forward_job(videos: VideoService) -> Job:
    return followed_job(videos, *[Link(first=1, last=CHUNKS)] * CHUNKS)


def commit(videos: VideoService, lease: Lease, *, leaves: bool = True, frames: int = 10) -> str:
    """The key of what it leaves."""
    key = new_key("default", f"{lease.chunk:064x}")
    result = chunk_of(lease, frames=frames)
    assert videos.units.commit(replace(result, state_blob_key=key if leaves else None))
    return key


def states(videos: VideoService, job: Job) -> dict[int, UnitState]:
    """By chunk."""
    query = select(units.c.chunk, units.c.state).where(units.c.job_id == job.id, units.c.chunk > 0)
    with videos.database.read() as connection:
        rows = connection.execute(query.order_by(units.c.chunk)).all()
    return {row.chunk: UnitState(row.state) for row in rows if row.chunk != TRACK_CHUNK}


def kept(videos: VideoService, job_id: UUID) -> dict[str, str]:
    query = select(derived_blobs.c.kind, derived_blobs.c.blob_key)
    with videos.database.read() as connection:
        rows = connection.execute(query.where(derived_blobs.c.job_id == job_id)).all()
    return {row.kind: row.blob_key for row in rows}


def doomed(videos: VideoService) -> set[str]:
    with videos.database.read() as connection:
        return set(connection.execute(select(doomed_blobs.c.blob_key)).scalars())


def give_up(videos: VideoService, lease: Lease) -> None:
    videos.units.fail(lease, "internal_error", "a bug", retryable=False)


def test_one_after_the_other_each_with_what_the_one_before_left(videos: VideoService) -> None:
    job = forward_job(videos)
    begins: list[str | None] = []
    left: list[str] = []

    for number in range(1, CHUNKS + 1):
        (lease,) = videos.claim()
        assert lease.chunk == number
        assert videos.claim() == ()
        begins.append(videos.units.state_key(lease))
        left.append(commit(videos, lease, leaves=number < CHUNKS))

    assert begins == [None, *left[:-1]]
    assert kept(videos, job.id) == {}
    assert doomed(videos) == set(left[:-1])
    assert videos.claim_kind(UnitKind.TRACK)


def test_two_chains_go_on_side_by_side(videos: VideoService) -> None:
    back = [Link(first=2, last=1, reverse=True)] * 2
    job = followed_job(videos, *back, *[Link(first=3, last=4)] * 2)

    assert list(states(videos, job).values()) == [
        UnitState.WAITING,
        UnitState.READY,
        UnitState.READY,
        UnitState.WAITING,
    ]

    (second,), (third,) = videos.claim(), videos.claim()
    of_second = commit(videos, second)
    (first,) = videos.claim()
    of_third = commit(videos, third)
    (fourth,) = videos.claim()

    assert (first.chunk, videos.units.state_key(first)) == (1, of_second)
    assert (fourth.chunk, videos.units.state_key(fourth)) == (4, of_third)


def test_a_chunk_that_gave_up_hands_on_what_it_began_with(videos: VideoService) -> None:
    job = forward_job(videos)
    left = commit(videos, videos.claim()[0])

    give_up(videos, videos.claim()[0])
    (third,) = videos.claim()
    begins = videos.units.state_key(third)
    give_up(videos, third)
    (fourth,) = videos.claim()

    assert begins == videos.units.state_key(fourth) == left
    assert kept(videos, job.id) == {"follow-2": left}


def test_a_chunk_without_a_frame_hands_on_what_it_began_with(videos: VideoService) -> None:
    job = forward_job(videos)
    left = commit(videos, videos.claim()[0])

    commit(videos, videos.claim()[0], leaves=False, frames=0)

    assert kept(videos, job.id) == {"follow-3": left}
    assert videos.units.state_key(videos.claim()[0]) == left


def test_what_nobody_waits_for_is_not_kept(videos: VideoService) -> None:
    job = forward_job(videos)
    first = commit(videos, videos.claim()[0])
    give_up(videos, videos.claim()[0])
    for number in (3, 4):
        commit(videos, videos.claim()[0], leaves=number < CHUNKS)
    assert videos.units.commit(videos.tracked(videos.claim_kind(UnitKind.TRACK)))

    videos.jobs.retry(job.id)
    (second,) = videos.claim()
    begins = videos.units.state_key(second)
    late = commit(videos, second)

    assert (second.chunk, begins) == (2, first)
    assert set(kept(videos, job.id)) == {"crops"}
    assert {first, late} <= doomed(videos)


@pytest.mark.parametrize(
    ("failed", "again"),
    [
        ({1, 2, 4}, {1: "ready", 2: "waiting", 3: "done", 4: "ready"}),
        ({2, 3, 4}, {1: "done", 2: "ready", 3: "waiting", 4: "waiting"}),
    ],
    ids=["first", "last"],
)
def test_neighbours_that_gave_up_wait_for_each_other(
    videos: VideoService, failed: set[int], again: dict[int, str]
) -> None:
    job = forward_job(videos)
    for number in range(1, CHUNKS + 1):
        (lease,) = videos.claim()
        if number in failed:
            give_up(videos, lease)
        else:
            commit(videos, lease)
    videos.run()

    videos.jobs.retry(job.id)
    reopened = states(videos, job)
    videos.run()

    assert {number: state.value for number, state in reopened.items()} == again
    assert videos.jobs.get(job.id).state is JobState.SUCCEEDED
    assert set(kept(videos, job.id)) == {"crops"}


def test_nothing_is_kept_of_what_was_cancelled(videos: VideoService) -> None:
    job = forward_job(videos)
    left = commit(videos, videos.claim()[0])

    videos.jobs.cancel(job.id)

    assert kept(videos, job.id) == {}
    assert left in doomed(videos)
    assert set(states(videos, job).values()) == {UnitState.DONE, UnitState.CANCELLED}


def test_what_is_kept_goes_with_its_asset(videos: VideoService) -> None:
    job = forward_job(videos)
    left = commit(videos, videos.claim()[0])
    (item,) = videos.jobs.items(job.id, limit=1).items

    videos.assets.delete(item.asset_id)

    assert kept(videos, job.id) == {}
    assert left in doomed(videos)


def test_a_result_whose_state_is_not_durable_is_refused(videos: VideoService) -> None:
    forward_job(videos)
    result: ChunkResult = replace(chunk_of(videos.claim()[0]), state=b"bytes")

    with pytest.raises(ValueError, match="not durable"):
        videos.units.commit(result)


def test_chunks_of_other_videos_begin_with_nothing(videos: VideoService) -> None:
    videos.video_job()

    assert [videos.units.state_key(lease) for lease in videos.probed()] == [None] * 3
