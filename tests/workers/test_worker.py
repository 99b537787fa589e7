"""A real Celery worker with a real Redis, from bell to stored results."""

from processes import running_service
from workshop import colour_job, found_numbers, wait_for_end

from vision.domain.states import JobState
from vision.engine.parts import open_engine
from vision.settings import Settings
from workers.queue import Bell


def test_a_rung_bell_sets_a_worker_going(settings: Settings) -> None:
    with open_engine(settings) as engine, running_service(settings, tick=False):
        job = colour_job(engine, 40)

        with Bell(settings.broker_url.get_secret_value()) as bell:
            bell.ring()

        assert wait_for_end(engine, job.id).state is JobState.SUCCEEDED
        assert found_numbers(engine, job.id) == list(range(40))


def test_without_any_bell_the_tick_finds_the_work(settings: Settings) -> None:
    with open_engine(settings) as engine, running_service(settings):
        job = colour_job(engine, 3)

        assert wait_for_end(engine, job.id).state is JobState.SUCCEEDED
