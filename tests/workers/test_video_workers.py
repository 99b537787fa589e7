"""One clip on one worker, on three, and with workers killed on the way: the same bytes."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from processes import WORKER, Program, Service, running_service, wait_for_line
from video_workshop import FOLLOWED, add_clip, as_text, seen_frames
from workshop import settings_for, submit, wait_for_end

from vision.domain.states import ItemState, JobState
from vision.engine.parts import Engine, open_engine
from vision.settings import Settings
from workers.queue import Bell

FRAMES = 400
PER_FRAME = {**FOLLOWED, "spots": {"seconds": 0.01}}
DEADLY = {**FOLLOWED, "spots": {"seconds": 0.0, "deadly": "kills"}}


@pytest.fixture
def settings(tmp_path: Path, database_url: str, short_folder: Path) -> Settings:
    return settings_for(
        tmp_path / "data",
        database_url,
        broker_url=f"redis+socket://{short_folder}/redis.sock",
        tick_seconds=0.5,
        lease_seconds=5,
        chunk_frames=20,
        log_level="DEBUG",
    )


@contextmanager
def more_workers(service: Service, count: int) -> Iterator[list[Program]]:
    """Beside the service's own."""
    folder = service.settings.data_dir
    argv = (sys.executable, *WORKER)
    programs = [
        Program(argv, folder / f"worker-{number}.log", service.worker.environment)
        for number in range(count)
    ]
    try:
        for program in programs:
            program.start()
        for program in programs:
            wait_for_line(program, '"worker ready"')
        yield programs
    finally:
        for program in programs:
            program.end()


def wait_for_frames(engine: Engine, job_id: UUID, count: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        video = engine.jobs.get(job_id).video
        if video is not None and video.frames_done >= count:
            return
        assert time.monotonic() < deadline, "the job doesn't get on"
        time.sleep(0.02)


def chunks_of(program: Program) -> int:
    """How many it has stored."""
    lines = program.text().splitlines()
    return sum('"unit committed"' in line and '"kind": "chunk"' in line for line in lines)


def kill_children(programs: list[Program]) -> None:
    for program in programs:
        for child in program.children():
            os.kill(child, signal.SIGKILL)


def test_the_number_of_workers_and_their_deaths_change_nothing(settings: Settings) -> None:
    with open_engine(settings) as engine, running_service(settings) as service:
        asset = add_clip(engine, FRAMES)
        alone = submit(engine, [asset], PER_FRAME)
        assert wait_for_end(engine, alone.id).state is JobState.SUCCEEDED

        with more_workers(service, 2) as others:
            together = submit(engine, [asset], PER_FRAME)
            assert wait_for_end(engine, together.id).state is JobState.SUCCEEDED
            shares = [chunks_of(program) for program in others]

            disturbed = submit(engine, [asset], PER_FRAME)
            wait_for_frames(engine, disturbed.id, 60)
            kill_children([service.worker, *others])
            wait_for_frames(engine, disturbed.id, 200)
            others[0].kill()
            assert wait_for_end(engine, disturbed.id, seconds=120).state is JobState.SUCCEEDED

        expected = as_text(engine, alone.id)
        assert seen_frames(engine, alone.id) == list(range(FRAMES))
        assert expected.count("BestMoment") >= 2, "nothing was followed"
        assert as_text(engine, together.id) == expected
        assert as_text(engine, disturbed.id) == expected
        assert all(shares), "the chunks were not shared out"


def test_a_frame_that_kills_its_worker_costs_its_chunk_and_no_other(settings: Settings) -> None:
    with open_engine(settings) as engine, running_service(settings):
        job = submit(engine, [add_clip(engine, 80)], DEADLY)

        ended = wait_for_end(engine, job.id, seconds=90)

        (item,) = engine.jobs.items(job.id, limit=1).items
        assert ended.state is JobState.PARTIAL
        assert item.state is ItemState.PARTIAL
        assert seen_frames(engine, job.id) == list(range(20, 80))
        assert item.frames_declared == 80
        assert item.video is not None
        assert item.video.frames_done == 60


def test_new_chunks_wake_the_other_workers_before_any_tick(
    tmp_path: Path, sqlite_url: str, short_folder: Path
) -> None:
    url = f"redis+socket://{short_folder}/redis.sock"
    settings = settings_for(tmp_path / "data", sqlite_url, broker_url=url, chunk_frames=20)
    with (
        open_engine(settings) as engine,
        running_service(settings, tick=False) as service,
        more_workers(service, 1) as others,
        Bell(url) as bell,
    ):
        job = submit(engine, [add_clip(engine, 200)], {"spots": {"seconds": 0.02}})
        bell.ring()

        assert wait_for_end(engine, job.id).state is JobState.SUCCEEDED
        assert all(chunks_of(program) for program in (service.worker, *others))
