"""A unit from ready to its end: claim, heartbeat, commit, release, fail, reap, quarantine."""

from dataclasses import replace

import pytest
from storage_service import NO_LEASE_SECONDS, Service, result_of, some_detections

from vision.domain.job import ItemFailure, ItemResult, UnitResult
from vision.domain.states import ItemState, JobState
from vision.domain.stored import UnitKey

CORRUPT = ItemFailure("image_corrupt", "the file is not a readable image")


def test_job_runs_from_queued_to_succeeded(service: Service) -> None:
    job = service.job(40)
    leases = service.claim()
    running = service.jobs.get(job.id)
    for lease in leases:
        service.units.commit(result_of(lease))
    service.work()
    done = service.jobs.get(job.id)

    assert [job.state, running.state, done.state] == ["queued", "running", "succeeded"]
    assert (done.items_total, done.items_done, done.items_failed) == (40, 40, 0)
    assert service.rows(job.id) == 80
    assert running.started_at is not None
    assert done.finished_at is not None
    assert job.created_at <= running.started_at <= done.finished_at


def test_unit_is_a_shard_of_at_most_32_images(service: Service) -> None:
    service.job(70)

    sizes = [len(lease.items) for _ in range(3) for lease in service.claim()]

    assert sizes == [32, 32, 6]


def test_lease_names_everything_a_worker_needs(service: Service) -> None:
    job = service.job(2)

    lease = service.claim_one()

    asset = service.assets.get(lease.items[1].asset_id)
    assert lease.items[1].blob_key == asset.blob_key
    assert lease.items[1].filename == "image 1.jpg"
    assert (lease.job_id, lease.attempt, lease.fails) == (job.id, 1, 0)
    assert lease.pipeline == job.pipeline


def test_claimed_unit_is_not_given_twice(service: Service) -> None:
    service.job()

    assert len(service.claim()) == 1
    assert service.claim() == ()


def test_single_image_jobs_of_one_pipeline_come_together(service: Service) -> None:
    for number in range(40):
        service.job(prefix=f"job {number}")
    service.job(prefix="other", pipeline_sha256="f" * 64)

    sizes = [len(service.claim()) for _ in range(3)]

    assert sizes == [32, 8, 1]


def test_unit_that_failed_before_comes_alone(service: Service) -> None:
    for number in range(3):
        service.job(prefix=f"job {number}")
    first, *others = service.claim()
    service.units.fail(first, "out_of_memory", "", retryable=True)
    for lease in others:
        service.units.release(lease)

    assert [lease.fails for lease in service.claim()] == [1]
    assert [lease.fails for lease in service.claim()] == [0, 0]


def test_higher_priority_goes_first(service: Service) -> None:
    service.job(prefix="low")
    urgent = service.job(prefix="high", priority=5)

    assert service.claim()[0].job_id == urgent.id


def test_tenant_with_fewest_leases_is_served_first(service: Service) -> None:
    for number in range(3):
        service.job(32, tenant="many", prefix=f"job {number}")
    small = service.job(32, tenant="few")

    served = [service.claim_one().job_id for _ in range(4)]

    assert small.id in served[:2]


def test_second_commit_of_the_same_result_changes_nothing(service: Service) -> None:
    job = service.job()
    lease = service.claim_one()

    answers = [service.units.commit(result_of(lease)) for _ in range(3)]

    assert answers == [True, True, True]
    assert service.rows(job.id) == 2
    assert service.jobs.get(job.id).items_done == 1


def test_late_commit_of_an_expired_and_reclaimed_lease_is_refused(service: Service) -> None:
    job = service.job()
    late = service.claim_one("late", seconds=NO_LEASE_SECONDS)
    service.units.reap()
    current = service.claim_one("current")

    refused = service.units.commit(result_of(late, found=some_detections(("cat",))))
    accepted = service.units.commit(result_of(current))

    assert (refused, accepted) == (False, True)
    assert current.attempt == late.attempt + 1
    assert {one.label for one in service.detections.counts(job.id)} == {"dog", "car"}


def test_late_commit_is_refused_even_before_anybody_claims_again(service: Service) -> None:
    job = service.job()
    late = service.claim_one(seconds=NO_LEASE_SECONDS)
    service.units.reap()

    assert not service.units.commit(result_of(late))
    assert service.rows(job.id) == 0


def test_lease_that_ran_out_but_was_not_taken_back_can_still_be_committed(
    service: Service,
) -> None:
    service.job()
    lease = service.claim_one(seconds=NO_LEASE_SECONDS)

    assert service.units.commit(result_of(lease))


def test_commit_with_other_items_than_the_lease_is_refused_loudly(service: Service) -> None:
    service.job(2)
    lease = service.claim_one()
    result = result_of(lease)

    with pytest.raises(ValueError, match="items of the lease"):
        service.units.commit(replace(result, items=result.items[:1]))


def test_heartbeat_prolongs_and_tells_what_was_lost(service: Service) -> None:
    kept_job, lost_job = service.job(prefix="a"), service.job(prefix="b")
    kept, lost = service.claim(seconds=NO_LEASE_SECONDS)
    service.units.heartbeat([kept], lease_seconds=60)
    service.units.reap()

    beat = service.units.heartbeat([kept, lost], lease_seconds=60)

    assert (kept.job_id, lost.job_id) == (kept_job.id, lost_job.id)
    assert beat.lost == {UnitKey.of(lost)}
    assert beat.cancelled == frozenset()


def test_heartbeat_that_crosses_with_a_commit_reports_no_loss(service: Service) -> None:
    service.job()
    lease = service.claim_one()
    service.units.commit(result_of(lease))

    assert service.units.heartbeat([lease], lease_seconds=60).lost == frozenset()


def test_heartbeat_tells_of_cancel_and_the_commit_is_refused(service: Service) -> None:
    job = service.job(2)
    lease = service.claim_one()
    service.jobs.cancel(job.id)

    beat = service.units.heartbeat([lease], lease_seconds=60)
    committed = service.units.commit(result_of(lease))

    assert beat.cancelled == {UnitKey.of(lease)}
    assert not committed
    assert service.rows(job.id) == 0
    assert service.jobs.active_summary().leased == 0


def test_released_unit_is_ready_at_once_without_a_failure(service: Service) -> None:
    service.job()
    service.units.release(service.claim_one())

    again = service.claim_one()

    assert (again.attempt, again.fails) == (2, 0)


def test_release_of_a_lost_lease_does_not_disturb_the_new_owner(service: Service) -> None:
    service.job()
    old = service.claim_one(seconds=NO_LEASE_SECONDS)
    service.units.reap()
    new = service.claim_one()

    service.units.release(old)
    service.units.fail(old, "x", "", retryable=False)

    assert service.units.commit(result_of(new))


def test_released_unit_of_a_cancelled_job_never_runs_again(service: Service) -> None:
    job = service.job()
    lease = service.claim_one()
    service.jobs.cancel(job.id)

    service.units.release(lease)

    assert service.claim() == ()


def test_failed_shard_is_split_so_that_one_image_fails_alone(service: Service) -> None:
    job = service.job(5)
    shard = service.claim_one(seconds=NO_LEASE_SECONDS)
    service.units.reap()

    singles = [service.claim_one() for _ in range(5)]

    assert [[one.index for one in lease.items] for lease in singles] == [[0], [1], [2], [3], [4]]
    assert {lease.fails for lease in singles} == {1}
    assert not service.units.commit(result_of(shard))
    for lease in singles:
        assert service.units.commit(result_of(lease))
    assert service.jobs.get(job.id).state == JobState.SUCCEEDED
    assert service.rows(job.id) == 10


def test_poison_kills_three_workers_at_most_and_no_neighbour_fails(service: Service) -> None:
    poison = 3
    job = service.job(8)
    deaths = 0
    while leases := service.claim("worker", seconds=NO_LEASE_SECONDS):
        if any(one.index == poison for lease in leases for one in lease.items):
            deaths += 1
            service.units.reap()
        else:
            assert all(service.units.commit(result_of(lease)) for lease in leases)

    ended = service.jobs.get(job.id)
    page = service.jobs.items(job.id, limit=100)
    assert deaths == 3
    assert (ended.state, ended.items_done, ended.items_failed) == (JobState.PARTIAL, 7, 1)
    assert _code(page.items[poison].error) == "worker_lost"
    assert service.jobs.active_summary().quarantined == 1


def test_backoff_keeps_a_failed_unit_waiting(service: Service) -> None:
    service.job()
    lease = service.claim_one()
    patient = type(service.units)(service.database, backoff_seconds=3600)

    patient.fail(lease, "busy", "", retryable=True)

    assert service.claim() == ()
    assert service.units.ready_count() == 0
    assert service.jobs.active_summary().ready == 1


def test_permanent_failure_ends_the_job_with_that_code(service: Service) -> None:
    job = service.job(3)
    detail = "run: vision models pull demo_sam"
    service.units.fail(service.claim_one(), "weights_missing", detail, retryable=False)

    ended = service.jobs.get(job.id)

    assert (ended.state, ended.items_failed) == (JobState.FAILED, 3)
    assert ended.error == ItemFailure("weights_missing", detail)


def test_bad_files_fail_alone_and_the_job_is_partial(service: Service) -> None:
    job = service.job(3)
    service.units.commit(result_of(service.claim_one(), failures={1: CORRUPT}))

    ended = service.jobs.get(job.id)
    states = [item.state for item in service.jobs.items(job.id, limit=10).items]

    assert (ended.state, ended.items_done, ended.items_failed) == (JobState.PARTIAL, 2, 1)
    assert states == [ItemState.DONE, ItemState.FAILED, ItemState.DONE]
    assert ended.error is None


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        pytest.param(("image_corrupt", "image_corrupt"), "image_corrupt", id="common code"),
        pytest.param(("image_corrupt", "empty_file"), "all_items_failed", id="different codes"),
    ],
)
def test_job_whose_every_item_failed_is_failed(
    service: Service, codes: tuple[str, str], error: str
) -> None:
    job = service.job(2)
    lease = service.claim_one()
    failures = {index: ItemFailure(code, "") for index, code in enumerate(codes)}
    items = tuple(ItemResult(index, failure=one) for index, one in failures.items())
    service.units.commit(UnitResult(lease, items, None))

    ended = service.jobs.get(job.id)

    assert ended.state == JobState.FAILED
    assert _code(ended.error) == error


def test_leases_of_a_dead_predecessor_are_freed_at_once(service: Service) -> None:
    service.job()
    lease = service.claim_one("batch_1/7")
    expired = [service.units.expire_owner(prefix) for prefix in ("batch%", "batchX1", "batch_1/")]

    reaped = service.units.reap()

    assert (expired, reaped) == ([0, 0, 1], 1)
    assert service.claim_one("batch_1/8").attempt == lease.attempt + 1


def test_reaper_pages_through_more_leases_than_one_batch(service: Service) -> None:
    for number in range(230):
        service.job(prefix=f"job {number}", pipeline_sha256="e" * 64)
    while service.claim(seconds=NO_LEASE_SECONDS):
        pass

    assert service.units.reap() == 230
    assert service.units.reap() == 0


def test_finish_event_is_written_once_for_each_run(service: Service) -> None:
    job = service.job()
    service.units.fail(service.claim_one(), "weights_missing", "", retryable=False)
    service.jobs.retry(job.id)
    service.work()
    service.units.finish_stale_jobs()

    assert service.value("select count(*) from outbox") == 2
    assert service.value("select max(run) from outbox where event = 'job.finished'") == 2


def test_job_whose_end_was_missed_is_ended_by_the_tick(service: Service) -> None:
    job = service.job()
    service.work()
    with service.database.begin() as connection:
        connection.exec_driver_sql("update jobs set state = 'running', finished_at = null")
        connection.exec_driver_sql("delete from outbox")

    assert service.units.finish_stale_jobs() == 1
    assert service.jobs.get(job.id).state == JobState.SUCCEEDED


def test_summary_counts_ready_leased_and_the_oldest_wait(service: Service) -> None:
    before = service.jobs.active_summary()
    service.job(64)
    service.claim_one()

    summary = service.jobs.active_summary()

    assert (before.ready, before.oldest_ready_seconds) == (0, 0.0)
    assert (summary.ready, summary.leased, summary.quarantined) == (1, 1, 0)
    assert 0 <= summary.oldest_ready_seconds < 60
    assert service.units.ready_count() == 1


def _code(error: ItemFailure | None) -> str | None:
    return None if error is None else error.code
