"""Jobs as clients see them: submit once, look, cancel, retry, delete."""

from uuid import UUID

import pytest
from storage_service import PIPELINE, PIPELINE_SHA256, PROVENANCE, SIZE, Service, result_of

from vision.domain.job import MAX_ITEMS_PER_UNIT, ItemFailure, NewJob
from vision.domain.states import ItemState, JobState
from vision.errors import Conflict, IdempotencyKeyReused, InvalidRequest, NotFound, TooBusy

NOBODY = UUID(int=7)


def _new(service: Service, *names: str, key: str | None = None, request: str = "r") -> NewJob:
    ids = tuple(service.asset(name).id for name in names)
    return NewJob(
        ids, PIPELINE, PIPELINE_SHA256, idempotency_key=key, request_sha256=request, tags=("a", "b")
    )


def test_submitted_job_is_read_back_as_it_was_asked(service: Service) -> None:
    job, is_new = service.jobs.submit(_new(service, "x", "y"), max_open_units=1)

    assert is_new
    assert service.jobs.get(job.id) == job
    assert (job.state, job.items_total, job.tags) == (JobState.QUEUED, 2, ("a", "b"))
    assert job.pipeline == PIPELINE
    assert (job.started_at, job.finished_at, job.error, job.provenances) == (None, None, None, ())


def test_same_key_and_request_is_the_same_job(service: Service) -> None:
    first, _ = service.jobs.submit(_new(service, "x", key="k"), max_open_units=1)
    again, is_new = service.jobs.submit(_new(service, "x", key="k"), max_open_units=1)

    assert (again.id, is_new) == (first.id, False)


def test_same_key_with_another_request_is_refused(service: Service) -> None:
    service.jobs.submit(_new(service, "x", key="k"), max_open_units=9)

    with pytest.raises(IdempotencyKeyReused):
        service.jobs.submit(_new(service, "x", key="k", request="other"), max_open_units=9)


def test_same_key_of_another_tenant_is_another_job(service: Service) -> None:
    first = service.job(tenant="a", key="k")
    second = service.job(tenant="b", key="k")

    assert first.id != second.id


def test_repeated_submission_answers_even_when_the_service_is_full(service: Service) -> None:
    first, _ = service.jobs.submit(_new(service, "x", key="k"), max_open_units=1)

    again, _ = service.jobs.submit(_new(service, "x", key="k"), max_open_units=0)

    assert again.id == first.id


def test_limit_on_open_units_counts_what_is_not_done(service: Service) -> None:
    service.job(MAX_ITEMS_PER_UNIT + 1)
    new = _new(service, "x")

    with pytest.raises(TooBusy, match="limit is 2"):
        service.jobs.submit(new, max_open_units=2)
    service.work()
    service.jobs.submit(new, max_open_units=2)


def test_unknown_asset_leaves_nothing_behind(service: Service) -> None:
    new = NewJob((service.asset("x").id, NOBODY), PIPELINE, PIPELINE_SHA256)

    with pytest.raises(NotFound, match=str(NOBODY)):
        service.jobs.submit(new, max_open_units=9)
    assert service.tables_with_rows() == {"assets": 1}


def test_asset_of_another_tenant_is_unknown(service: Service) -> None:
    foreign = service.asset("x", tenant="other").id

    with pytest.raises(NotFound):
        service.jobs.submit(NewJob((foreign,), PIPELINE, PIPELINE_SHA256), max_open_units=9)


def test_job_without_assets_is_refused(service: Service) -> None:
    with pytest.raises(InvalidRequest) as caught:
        service.jobs.submit(NewJob((), PIPELINE, PIPELINE_SHA256), max_open_units=9)

    assert caught.value.errors[0].field == "asset_ids"


def test_asset_named_twice_is_one_item(service: Service) -> None:
    job, _ = service.jobs.submit(_new(service, "x", "y", "x"), max_open_units=9)

    names = [item.filename for item in service.jobs.items(job.id, limit=9).items]

    assert names == ["x.jpg", "y.jpg"]


def test_other_tenants_cannot_see_or_touch_a_job(service: Service) -> None:
    job = service.job(tenant="a")
    asset = service.asset("image 0", "a")

    for ask in (service.jobs.get, service.jobs.cancel, service.jobs.retry, service.jobs.delete):
        with pytest.raises(NotFound):
            ask(job.id, "b")
    with pytest.raises(NotFound):
        service.jobs.items(job.id, "b", limit=1)
    with pytest.raises(NotFound):
        service.jobs.item(job.id, asset.id, "b")


def test_pages_of_jobs_are_newest_first_and_complete(service: Service) -> None:
    ids = [service.job(prefix=f"job {number}").id for number in range(7)]

    seen, cursor = [], None
    while True:
        page = service.jobs.page("default", limit=3, cursor=cursor)
        seen += [job.id for job in page.items]
        cursor = page.next
        if cursor is None:
            break

    assert seen == ids[::-1]


def test_jobs_are_found_by_state_and_tag(service: Service) -> None:
    done = service.job(tags=("night",), prefix="a")
    service.work()
    service.job(tags=("night", "day"), prefix="b")
    service.job(prefix="c")

    night = service.jobs.page("default", limit=9, tag="night").items
    finished = service.jobs.page("default", limit=9, tag="night", state=JobState.SUCCEEDED).items

    assert len(night) == 2
    assert [job.id for job in finished] == [done.id]


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="empty"),
        pytest.param("nonsense!", id="not base64"),
        pytest.param("bm90IGpzb24", id="not json"),
        pytest.param("WyJpdGVtcyIsMV0", id="another list's"),
        pytest.param("WyJqb2JzIiwxXQ", id="wrong type"),
    ],
)
def test_bad_cursor_is_the_callers_mistake(service: Service, cursor: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        service.jobs.page("default", limit=1, cursor=cursor)

    assert caught.value.errors[0].field == "cursor"


def test_items_carry_counts_facts_and_provenance(service: Service) -> None:
    job = service.job(2)
    service.work()

    page = service.jobs.items(job.id, limit=1)
    second = service.jobs.items(job.id, limit=1, cursor=page.next)
    item = service.jobs.item(job.id, service.asset("image 1").id)

    assert second.items == (item,)
    assert second.next is None
    assert (item.index, item.state, item.detections) == (1, ItemState.DONE, 2)
    assert item.counts == {"car": 1, "dog": 1}
    assert item.facts.size == SIZE
    assert item.provenance_digest == PROVENANCE.digest


def test_job_names_every_run_that_contributed(service: Service) -> None:
    job = service.job(64)
    service.work()

    (provenance,) = service.jobs.get(job.id).provenances

    assert provenance == {**PROVENANCE.to_json(), "digest": PROVENANCE.digest}


def test_cancel_keeps_what_was_committed_and_stops_the_rest(service: Service) -> None:
    job = service.job(64)
    service.units.commit(result_of(service.claim_one()))

    cancelled = service.jobs.cancel(job.id)

    states = [item.state for item in service.jobs.items(job.id, limit=100).items]
    assert (cancelled.state, cancelled.items_done) == (JobState.CANCELLED, 32)
    assert states == [ItemState.DONE] * 32 + [ItemState.CANCELLED] * 32
    assert service.claim() == ()
    assert service.rows(job.id) == 64
    assert service.value("select count(*) from outbox") == 1


def test_cancel_of_a_finished_job_changes_nothing(service: Service) -> None:
    job = service.job()
    service.work()
    done = service.jobs.get(job.id)

    assert service.jobs.cancel(job.id) == done


def test_retry_runs_failed_units_only_and_forgets_their_failures(service: Service) -> None:
    job = service.job(64)
    service.units.commit(result_of(service.claim_one()))
    service.units.fail(service.claim_one(), "weights_missing", "", retryable=False)
    partial = service.jobs.get(job.id)

    retried = service.jobs.retry(job.id)
    lease = service.claim_one()
    service.units.commit(result_of(lease))

    done = service.jobs.get(job.id)
    assert (partial.state, partial.items_failed) == (JobState.PARTIAL, 32)
    assert (retried.state, retried.items_failed, retried.finished_at) == (JobState.QUEUED, 0, None)
    assert (lease.item, lease.fails) == (32, 0)
    assert (done.state, done.items_done, done.error) == (JobState.SUCCEEDED, 64, None)
    assert service.rows(job.id) == 128


def test_quarantined_image_is_retried_too(service: Service) -> None:
    job = service.job()
    service.units.fail(service.claim_one(), "out_of_memory", "", retryable=True, max_fails=1)
    quarantined = service.jobs.get(job.id)

    service.jobs.retry(job.id)
    service.work()

    assert quarantined.state == JobState.FAILED
    assert service.jobs.get(job.id).state == JobState.SUCCEEDED


def test_retry_is_refused_where_there_is_nothing_to_retry(service: Service) -> None:
    running, cancelled, bad_file = (service.job(prefix=name) for name in "abc")
    service.jobs.cancel(cancelled.id)
    failure = ItemFailure("image_corrupt", "")
    for lease in service.claim():
        if lease.job_id == bad_file.id:
            service.units.commit(result_of(lease, failures={0: failure}))

    for job in (running, cancelled, bad_file):
        with pytest.raises(Conflict):
            service.jobs.retry(job.id)


def test_deleted_job_leaves_no_row_but_its_assets(service: Service) -> None:
    job = service.job(3, key="k", tags=("t",))
    service.work()

    service.jobs.delete(job.id)

    assert service.tables_with_rows() == {"assets": 3, "provenances": 1, "tenants": 1}
    with pytest.raises(NotFound):
        service.jobs.get(job.id)


def test_deleting_a_running_job_fences_its_worker(service: Service) -> None:
    job = service.job(3)
    lease = service.claim_one()

    service.jobs.delete(job.id)

    beat = service.units.heartbeat([lease], lease_seconds=60)
    assert len(beat.lost) == 1
    assert not service.units.commit(result_of(lease))
    assert service.rows(job.id) == 0


def test_interrupted_deletion_is_invisible_and_finished_later(service: Service) -> None:
    job = service.job(3, key="k")
    service.work()
    with service.database.begin() as connection:
        connection.exec_driver_sql("update jobs set erasing = true, idempotency_key = null")
        connection.exec_driver_sql("delete from units")
        connection.exec_driver_sql("delete from items")

    with pytest.raises(NotFound):
        service.jobs.get(job.id)
    assert service.jobs.page("default", limit=9).items == ()
    assert service.jobs.finish_erasures() == 1
    assert service.rows(job.id) == 0
    assert service.jobs.finish_erasures() == 0


def test_key_of_a_deleted_job_can_be_used_again(service: Service) -> None:
    job = service.job(key="k")
    service.jobs.delete(job.id)

    assert service.job(key="k").id != job.id
