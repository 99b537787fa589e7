"""Any process of the service is killed: nothing acknowledged is lost, nothing is done twice."""

import os
import signal
import time

from processes import Program, Service, redis_client, running_service
from workshop import add_pictures, colour_job, found_numbers, submit, wait_for_end

from vision.domain.states import ItemState, JobState
from vision.engine.parts import Engine, open_engine
from vision.settings import Settings
from workers.queue import Bell

IMAGES = 500


def wait_for_items(engine: Engine, job_id: object, count: int) -> None:
    deadline = time.monotonic() + 60
    while engine.jobs.get(job_id).items_done < count:  # type: ignore[arg-type]
        assert time.monotonic() < deadline, "the job doesn't get on"
        time.sleep(0.01)


def kill_child(service: Service) -> None:
    (child,) = service.worker.children()
    os.kill(child, signal.SIGKILL)


def kill_and_restart(service: Service, program: Program) -> None:
    program.kill()
    service.restart(program)


def test_every_process_is_killed_in_turn_and_every_image_has_one_result(
    settings: Settings,
) -> None:
    with open_engine(settings) as engine, running_service(settings) as service:
        job = colour_job(engine, IMAGES, seconds_per_image=0.01)

        wait_for_items(engine, job.id, 32)
        kill_child(service)
        wait_for_items(engine, job.id, 100)
        kill_and_restart(service, service.redis)
        wait_for_items(engine, job.id, 170)
        kill_and_restart(service, service.tick)
        wait_for_items(engine, job.id, 240)
        kill_and_restart(service, service.worker)

        ended = wait_for_end(engine, job.id, seconds=120)
        assert ended.state is JobState.SUCCEEDED
        assert (ended.items_done, ended.items_failed) == (IMAGES, 0)
        assert found_numbers(engine, job.id) == list(range(IMAGES))


def test_an_image_that_kills_its_worker_harms_no_other(settings: Settings) -> None:
    with open_engine(settings) as engine, running_service(settings) as service:
        assets = add_pictures(engine, 40)
        job = submit(engine, assets, {"colour": {"seconds": 0.0, "deadly": "kills"}})

        ended = wait_for_end(engine, job.id, seconds=90)

        items = engine.jobs.items(job.id, limit=100).items
        assert ended.state is JobState.PARTIAL
        assert [item.index for item in items if item.state is not ItemState.DONE] == [13]
        assert items[13].error is not None
        assert items[13].error.code == "worker_lost"
        deaths = service.worker.text().count("exited with 'signal 9")
        assert deaths == settings.max_fails


def test_a_flushed_redis_delays_and_loses_nothing(settings: Settings) -> None:
    with open_engine(settings) as engine, running_service(settings):
        job = colour_job(engine, 96, seconds_per_image=0.005)
        redis_client(settings).flushall()

        assert wait_for_end(engine, job.id).state is JobState.SUCCEEDED
        assert found_numbers(engine, job.id) == list(range(96))


def test_bells_too_many_change_nothing(settings: Settings) -> None:
    assert settings.broker_url is not None
    with (
        open_engine(settings) as engine,
        running_service(settings, tick=False),
        Bell(settings.broker_url.get_secret_value()) as bell,
    ):
        job = colour_job(engine, 5)
        for _ in range(10):
            bell.ring(8)

        assert wait_for_end(engine, job.id).state is JobState.SUCCEEDED
        assert found_numbers(engine, job.id) == list(range(5))
