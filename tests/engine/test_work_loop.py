"""Claim, decode, infer, store: what one call of `work` does."""

from workshop import (
    Workshop,
    add_broken_picture,
    add_pictures,
    colour_job,
    found_numbers,
    submit,
)

from vision.domain.job import ItemResult, Lease
from vision.domain.states import ItemState, JobState
from vision.engine.station import Pace
from vision.engine.work_loop import WorkDone, work

PACE = Pace()


def test_every_image_of_a_job_gets_its_own_result(workshop: Workshop) -> None:
    job = colour_job(workshop.engine, 70)

    done = work(workshop.station, PACE)

    assert done == WorkDone(units=3, images=70)
    assert workshop.engine.jobs.get(job.id).state is JobState.SUCCEEDED
    assert found_numbers(workshop.engine, job.id) == list(range(70))


def test_provenance_comes_with_the_results(workshop: Workshop) -> None:
    job = colour_job(workshop.engine, 1)

    work(workshop.station, PACE)

    (provenance,) = workshop.engine.jobs.get(job.id).provenances
    assert provenance["stages"][0]["model"] == "first_pixel"  # type: ignore[index]


def test_a_broken_file_fails_alone_and_by_name(workshop: Workshop) -> None:
    engine = workshop.engine
    good = add_pictures(engine, 3)
    job = submit(engine, [good[0], add_broken_picture(engine), *good[1:]])

    work(workshop.station, PACE)

    items = engine.jobs.items(job.id, limit=10).items
    assert engine.jobs.get(job.id).state is JobState.PARTIAL
    assert [item.state for item in items] == [
        ItemState.DONE,
        ItemState.FAILED,
        ItemState.DONE,
        ItemState.DONE,
    ]
    assert items[1].error is not None
    assert items[1].error.code == "image_truncated"


def test_a_vanished_file_fails_alone(workshop: Workshop) -> None:
    engine = workshop.engine
    assets = add_pictures(engine, 2)
    job = submit(engine, assets)
    engine.blobs.delete(engine.assets.get(assets[0]).blob_key)

    work(workshop.station, PACE)

    items = engine.jobs.items(job.id, limit=10).items
    assert items[0].error is not None
    assert items[0].error.code == "not_found"
    assert items[1].state is ItemState.DONE


def test_single_image_jobs_are_worked_off_in_one_go(workshop: Workshop) -> None:
    assets = add_pictures(workshop.engine, 5)
    jobs = [submit(workshop.engine, [asset]) for asset in assets]

    done = work(workshop.station, PACE)

    assert done == WorkDone(units=5, images=5)
    assert [found_numbers(workshop.engine, job.id) for job in jobs] == [[n] for n in range(5)]


def test_nothing_ready_is_nothing_done(workshop: Workshop) -> None:
    assert work(workshop.station, PACE) == WorkDone(units=0, images=0)


def test_after_the_given_time_no_more_is_claimed(workshop: Workshop) -> None:
    colour_job(workshop.engine, 64)

    done = work(workshop.station, PACE, max_seconds=0)

    assert done == WorkDone(units=0, images=0)
    assert workshop.engine.units.ready_count() == 2


def test_each_outcome_is_told_as_it_comes(workshop: Workshop) -> None:
    colour_job(workshop.engine, 40)
    told: list[int] = []

    def note(_lease: Lease, result: ItemResult) -> None:
        told.append(result.index)

    work(workshop.station, PACE, on_item=note)

    assert sorted(told) == list(range(40))
