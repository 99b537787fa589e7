"""How a worker ends: drained, stalled, or heard by a folder instead of Redis."""

import os
import signal
from pathlib import Path

import pytest
from processes import running_service, wait_for_line
from workshop import add_pictures, colour_job, found_numbers, settings_for, submit, wait_for_end

from vision.domain.states import ItemState, JobState
from vision.engine.parts import open_engine
from vision.settings import Settings


def test_sigterm_lets_the_unit_in_work_finish(settings: Settings) -> None:
    with open_engine(settings) as engine, running_service(settings) as service:
        job = colour_job(engine, 64, seconds_per_image=0.05)
        wait_for_line(service.worker, '"item done"')

        assert service.worker.terminate() == 0

        assert engine.jobs.get(job.id).items_done == 32
        (left,) = engine.units.claim("other", lease_seconds=60)
        assert left.fails == 0


def test_sigterm_gives_back_a_unit_that_takes_too_long(tmp_path: Path, settings: Settings) -> None:
    hasty = settings.model_copy(update={"drain_seconds": 2.0})
    with open_engine(hasty) as engine, running_service(hasty) as service:
        job = colour_job(engine, 32, seconds_per_image=1.0)
        wait_for_line(service.worker, '"item done"')

        service.worker.terminate()

        assert engine.jobs.get(job.id).items_done == 0
        (left,) = engine.units.claim("other", lease_seconds=60)
        assert left.fails == 0


def test_a_worker_that_hangs_ends_itself_and_its_images_are_spared(
    tmp_path: Path, sqlite_url: str, short_folder: Path
) -> None:
    settings = settings_for(
        tmp_path / "data",
        sqlite_url,
        broker_url=f"redis+socket://{short_folder}/redis.sock",
        tick_seconds=0.5,
        stall_seconds=2,
    )
    with open_engine(settings) as engine, running_service(settings) as service:
        assets = add_pictures(engine, 15)
        job = submit(engine, assets, {"colour": {"seconds": 0.0, "deadly": "hangs"}})

        ended = wait_for_end(engine, job.id, seconds=90)

        items = engine.jobs.items(job.id, limit=20).items
        assert ended.state is JobState.PARTIAL
        assert [item.index for item in items if item.state is not ItemState.DONE] == [13]
        assert '"work stalled, process ends"' in service.worker.text()


def test_a_folder_serves_where_there_is_no_redis(tmp_path: Path, sqlite_url: str) -> None:
    settings = settings_for(
        tmp_path / "data",
        sqlite_url,
        broker_url=f"filesystem://{tmp_path}/bell",
        tick_seconds=0.5,
    )
    with open_engine(settings) as engine, running_service(settings):
        job = colour_job(engine, 40)

        assert wait_for_end(engine, job.id).state is JobState.SUCCEEDED
        assert found_numbers(engine, job.id) == list(range(40))


@pytest.mark.slow
def test_a_frozen_child_is_killed_by_its_parent_and_the_job_ends(
    tmp_path: Path, sqlite_url: str, short_folder: Path
) -> None:
    settings = settings_for(
        tmp_path / "data",
        sqlite_url,
        broker_url=f"redis+socket://{short_folder}/redis.sock",
        tick_seconds=0.5,
        stall_seconds=2,
        log_level="DEBUG",
    )
    with open_engine(settings) as engine, running_service(settings) as service:
        job = colour_job(engine, 32, seconds_per_image=0.2)
        wait_for_line(service.worker, '"item done"')
        (child,) = service.worker.children()
        os.kill(child, signal.SIGSTOP)

        assert wait_for_end(engine, job.id, seconds=120).state is JobState.SUCCEEDED
        assert found_numbers(engine, job.id) == list(range(32))
        assert '"child hangs, killed"' in service.worker.text()


def test_a_child_that_is_told_to_end_gives_its_unit_back(
    tmp_path: Path, sqlite_url: str, short_folder: Path
) -> None:
    settings = settings_for(
        tmp_path / "data",
        sqlite_url,
        broker_url=f"redis+socket://{short_folder}/redis.sock",
        tick_seconds=0.5,
        log_level="DEBUG",
    )
    with open_engine(settings) as engine, running_service(settings) as service:
        job = colour_job(engine, 32, seconds_per_image=0.1)
        wait_for_line(service.worker, '"item done"')
        (child,) = service.worker.children()

        os.kill(child, signal.SIGTERM)

        assert wait_for_end(engine, job.id).state is JobState.SUCCEEDED
        assert found_numbers(engine, job.id) == list(range(32))
        assert '"unit released"' in service.worker.text()
