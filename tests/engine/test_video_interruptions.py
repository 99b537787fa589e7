"""Work on a video that is cancelled, lost or drained."""

import os
import signal
import threading
from dataclasses import replace

from memory_run import decode_processes
from test_interruptions import wait_until_running
from video_workshop import FOLLOWED, SPOTS, SpotPipeline, add_clip, as_text, seen_frames
from workshop import Workshop, in_background, submit

from vision.domain.job import Lease
from vision.domain.states import JobState
from vision.engine.station import Pace, RunsImages, Station
from vision.engine.work_loop import work

PACE = Pace()
SOON = 20.0


def slow_station(cinema: Workshop, seconds_per_image: float) -> Station:
    def slowly(_document: object) -> RunsImages:
        return SpotPipeline(seconds_per_image)

    return replace(cinema.station, open_pipeline=slowly)


def expire_and_reap(cinema: Workshop) -> None:
    """A beat in between may prolong the lease once more."""
    reaped = 0
    while not reaped:
        cinema.engine.units.expire_owner("tester/")
        reaped = cinema.engine.units.reap()


def test_a_cancelled_video_stops_in_the_middle_of_a_chunk(cinema: Workshop) -> None:
    engine = cinema.engine
    job = submit(engine, [add_clip(engine, 200, keyframe_every=200)], SPOTS)
    working = in_background(work, slow_station(cinema, 0.5), PACE)
    wait_until_running(cinema, job.id)

    engine.jobs.cancel(job.id)
    working.join(SOON)

    assert not working.is_alive()
    assert engine.jobs.get(job.id).state is JobState.CANCELLED
    assert seen_frames(engine, job.id) == []


def test_a_chunk_that_lost_its_lease_is_dropped_and_done_once(cinema: Workshop) -> None:
    engine = cinema.engine
    job = submit(engine, [add_clip(engine, 60)], SPOTS)
    working = in_background(work, slow_station(cinema, 0.05), PACE)
    wait_until_running(cinema, job.id)

    expire_and_reap(cinema)
    working.join(SOON)
    while not engine.jobs.get(job.id).state.is_final:
        work(cinema.station, PACE)

    assert engine.jobs.get(job.id).state is JobState.SUCCEEDED
    assert seen_frames(engine, job.id) == list(range(60))


def test_drain_finishes_the_chunk_in_work_and_gives_back_the_rest(cinema: Workshop) -> None:
    engine = cinema.engine
    job = submit(engine, [add_clip(engine, 100)], SPOTS)
    drain = threading.Event()

    def at_first_frame(_lease: Lease, _frames: int) -> None:
        drain.set()

    done = work(slow_station(cinema, 0.05), PACE, drain=drain.is_set, on_frames=at_first_frame)

    assert done.frames == 20
    assert seen_frames(engine, job.id) == list(range(20))
    (left,) = engine.units.claim("other", lease_seconds=60)
    assert (left.chunk, left.fails) == (2, 0)


def test_a_chunk_in_work_is_given_back_when_somebody_waits_for_the_drain(cinema: Workshop) -> None:
    engine = cinema.engine
    submit(engine, [add_clip(engine, 200, keyframe_every=200)], SPOTS)
    drain = threading.Event()
    hurried = replace(PACE, drain_seconds=float("inf"), video_drain_seconds=0.0)

    done = work(
        slow_station(cinema, 0.05),
        hurried,
        drain=drain.is_set,
        on_frames=lambda _lease, _frames: drain.set(),
    )

    (left,) = engine.units.claim("other", lease_seconds=60)
    assert done.frames == 0
    assert (left.chunk, left.fails) == (1, 0)


def test_what_was_left_by_a_drain_is_done_by_the_next(cinema: Workshop) -> None:
    engine = cinema.engine
    job = submit(engine, [add_clip(engine, 60)], SPOTS)
    drain = threading.Event()
    work(
        slow_station(cinema, 0.05),
        PACE,
        drain=drain.is_set,
        on_frames=lambda _lease, _frames: drain.set(),
    )

    work(cinema.station, PACE)

    assert engine.jobs.get(job.id).state is JobState.SUCCEEDED
    assert seen_frames(engine, job.id) == list(range(60))


def test_a_decode_process_that_is_killed_shows_in_no_result(cinema: Workshop) -> None:
    engine = cinema.engine
    asset = add_clip(engine, 200, keyframe_every=200)
    quiet, disturbed = (submit(engine, [asset], FOLLOWED) for _ in range(2))
    done = 0
    killed: list[int] = []

    def kill_in_the_middle(lease: Lease, frames: int) -> None:
        nonlocal done
        done += frames if lease.job_id == disturbed.id else 0
        if done == 60 and not killed:
            killed.extend(decode_processes())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    work(slow_station(cinema, 0.01), PACE, on_frames=kill_in_the_middle)

    assert killed
    assert engine.jobs.get(disturbed.id).state is JobState.SUCCEEDED
    assert as_text(engine, disturbed.id) == as_text(engine, quiet.id)
