"""What happens to work that is cancelled, lost, drained or can't be done."""

import threading
import time
from collections.abc import Mapping
from dataclasses import replace

from workshop import (
    Workshop,
    add_pictures,
    colour_job,
    found_numbers,
    in_background,
    submit,
    wait_for_end,
)

from vision.domain.states import ItemState, JobState
from vision.engine.station import Pace, RunsImages
from vision.engine.work_loop import work
from vision.errors import WeightsMissing

PACE = Pace()
SOON = 20.0


def wait_until_running(workshop: Workshop, job_id: object) -> None:
    deadline = time.monotonic() + SOON
    while workshop.engine.jobs.get(job_id).state is not JobState.RUNNING:  # type: ignore[arg-type]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_cancelled_job_stops_and_leaves_nothing(workshop: Workshop) -> None:
    engine = workshop.engine
    job = colour_job(engine, 32, seconds_per_image=2.0)
    working = in_background(work, workshop.station, PACE)
    wait_until_running(workshop, job.id)

    engine.jobs.cancel(job.id)
    working.join(SOON)

    assert not working.is_alive()
    assert engine.jobs.get(job.id).state is JobState.CANCELLED
    assert found_numbers(engine, job.id) == []


def test_work_that_lost_its_lease_is_dropped_and_done_once(workshop: Workshop) -> None:
    engine = workshop.engine
    job = colour_job(engine, 8, seconds_per_image=0.2)
    working = in_background(work, workshop.station, PACE)
    wait_until_running(workshop, job.id)

    engine.units.expire_owner("tester/")
    assert engine.units.reap() == 1
    working.join(SOON)
    while not engine.jobs.get(job.id).state.is_final:
        work(workshop.station, PACE)

    assert found_numbers(engine, job.id) == list(range(8))
    assert engine.jobs.get(job.id).state is JobState.SUCCEEDED


def test_drain_finishes_the_unit_in_work_and_claims_no_other(workshop: Workshop) -> None:
    engine = workshop.engine
    job = colour_job(engine, 64, seconds_per_image=0.03)
    drain = threading.Event()

    done = work(
        workshop.station,
        PACE,
        drain=drain.is_set,
        on_item=lambda _lease, result: drain.set() if result.index == 2 else None,
    )

    assert done.images == 32
    assert found_numbers(engine, job.id) == list(range(32))
    (left,) = engine.units.claim("other", lease_seconds=60)
    assert left.fails == 0


def test_without_weights_the_job_fails_and_says_why(workshop: Workshop) -> None:
    def no_weights(_document: Mapping[str, object]) -> RunsImages:
        raise WeightsMissing("big_model has no weights; run `vision models pull big_model`")

    job = colour_job(workshop.engine, 2)

    work(replace(workshop.station, open_pipeline=no_weights), PACE)

    failed = workshop.engine.jobs.get(job.id)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert failed.error.code == "weights_missing"
    assert "vision models pull big_model" in failed.error.detail


def test_a_job_that_failed_for_want_of_weights_can_be_retried(workshop: Workshop) -> None:
    def no_weights(_document: Mapping[str, object]) -> RunsImages:
        raise WeightsMissing("no weights yet")

    job = colour_job(workshop.engine, 2)
    work(replace(workshop.station, open_pipeline=no_weights), PACE)

    workshop.engine.jobs.retry(job.id)
    work(workshop.station, PACE)

    assert workshop.engine.jobs.get(job.id).state is JobState.SUCCEEDED


def test_a_unit_that_failed_before_is_never_held_beside_others(workshop: Workshop) -> None:
    engine = workshop.engine
    suspect = submit(engine, add_pictures(engine, 1), {"colour": {"seconds": 0.0}})
    engine.units.claim("dead/1", lease_seconds=60)
    engine.units.expire_owner("dead/")
    engine.units.reap()
    innocent = colour_job(engine, 64, seconds_per_image=0.01)
    held: list[int] = []

    def look(_lease: object, _result: object) -> None:
        held.append(engine.jobs.active_summary().leased)

    while not engine.jobs.get(suspect.id).state.is_final:
        work(workshop.station, PACE, on_item=look)

    assert wait_for_end(engine, innocent.id).state is JobState.SUCCEEDED
    assert found_numbers(engine, suspect.id) == [0]
    assert held[-1] == 1


def test_an_asset_erased_before_its_turn_leaves_the_others(workshop: Workshop) -> None:
    engine = workshop.engine
    assets = add_pictures(engine, 3)
    job = submit(engine, assets)
    engine.assets.delete(assets[1])

    work(workshop.station, PACE)

    items = engine.jobs.items(job.id, limit=10).items
    assert [item.state for item in items] == [ItemState.DONE, ItemState.DONE]
    assert found_numbers(engine, job.id) == [0, 2]
