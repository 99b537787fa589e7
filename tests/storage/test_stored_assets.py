"""Assets: one row per content and tenant, and erasing them without a trace."""

from contextlib import closing
from uuid import UUID

import pytest
from storage_service import FACTS, Service, result_of, some_detections

from vision.domain.job import ItemFailure, NewAsset
from vision.domain.states import JobState
from vision.domain.stored import DetectionFilter
from vision.errors import InvalidRequest, NotFound
from vision.storage.assets import AssetStore
from vision.storage.blobs import new_key
from vision.storage.database import Database


def _new(name: str = "a.jpg", *, sha256: str = "1" * 64, tenant: str = "default") -> NewAsset:
    return NewAsset(sha256, FACTS, 5, name, new_key(tenant, sha256), tenant=tenant, tags=("x", "x"))


def test_added_asset_is_read_back_as_it_was(service: Service) -> None:
    new = _new()

    asset, is_new = service.assets.add(new)

    assert is_new
    assert service.assets.get(asset.id) == asset
    assert (asset.sha256, asset.facts, asset.blob_key) == (new.sha256, FACTS, new.blob_key)
    assert asset.tags == ("x",)


def test_same_bytes_are_one_asset_and_the_second_blob_is_unreferenced(service: Service) -> None:
    first, second = _new("a.jpg"), _new("b.jpg")
    asset, _ = service.assets.add(first)

    same, is_new = service.assets.add(second)

    assert (same, is_new) == (asset, False)
    assert service.assets.unreferenced([first.blob_key, second.blob_key]) == (second.blob_key,)


def test_same_bytes_of_two_tenants_are_two_assets(service: Service) -> None:
    mine, _ = service.assets.add(_new(tenant="a"))
    yours, is_new = service.assets.add(_new(tenant="b"))

    assert is_new
    assert mine.id != yours.id
    with pytest.raises(NotFound):
        service.assets.get(mine.id, "b")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("caf\u00e9 \U0001f40e.jpg", "caf\u00e9 \U0001f40e.jpg", id="unicode"),
        pytest.param("a\0b\r\n.jpg", "ab.jpg", id="control characters"),
        pytest.param("bad \udcff.jpg", "bad ?.jpg", id="undecodable byte"),
        pytest.param("x" * 300, "x" * 255, id="too long"),
        pytest.param("../../etc/passwd", "../../etc/passwd", id="only text"),
    ],
)
def test_names_are_kept_as_text_that_can_be_shown(service: Service, given: str, kept: str) -> None:
    assert service.assets.add(_new(given))[0].filename == kept


def test_pages_of_assets_are_newest_first_and_by_tag(service: Service) -> None:
    ids = [service.asset(f"{n}", tags=("even",) if n % 2 == 0 else ()).id for n in range(6)]

    first = service.assets.page("default", limit=4)
    rest = service.assets.page("default", limit=4, cursor=first.next)
    even = service.assets.page("default", limit=2, tag="even")
    last_even = service.assets.page("default", limit=2, tag="even", cursor=even.next)

    assert [one.id for one in first.items + rest.items] == ids[::-1]
    assert rest.next is None
    assert [one.id for one in even.items + last_even.items] == ids[4::-2]


def test_erased_asset_takes_its_results_from_every_job(service: Service) -> None:
    first, second = service.job(3), service.job(3, prefix="image")
    service.work()
    victim = service.asset("image 1")

    blob_keys = service.assets.delete(victim.id)

    assert blob_keys == (victim.blob_key,)
    for job in (first, second):
        left = service.jobs.items(job.id, limit=9).items
        assert [item.index for item in left] == [0, 2]
        assert service.rows(job.id) == 4
        found = service.jobs.get(job.id)
        assert (found.state, found.items_total, found.items_done) == (JobState.SUCCEEDED, 2, 2)
        assert {one.detections for one in service.detections.counts(job.id)} == {2}
    assert service.detections.page(DetectionFilter(asset_id=victim.id), limit=9).items == ()
    with pytest.raises(NotFound):
        service.assets.get(victim.id)


def test_blob_key_is_remembered_until_the_blob_is_gone(service: Service) -> None:
    asset = service.asset("a")

    keys = service.assets.delete(asset.id)
    remembered = service.assets.doomed()
    service.assets.forget(keys)

    assert remembered == keys == (asset.blob_key,)
    assert service.assets.doomed() == ()


def test_erased_asset_can_be_uploaded_again(service: Service) -> None:
    asset = service.asset("a")
    service.assets.delete(asset.id)

    assert service.asset("a").id != asset.id


def test_asset_erased_before_its_unit_runs_is_not_worked_on(service: Service) -> None:
    job = service.job(3)
    service.assets.delete(service.asset("image 0").id)

    lease = service.claim_one()
    service.units.commit(result_of(lease))

    assert [one.index for one in lease.items] == [1, 2]
    assert service.jobs.get(job.id).state == JobState.SUCCEEDED


def test_asset_erased_while_it_is_worked_on_gets_no_results(service: Service) -> None:
    job = service.job(3)
    lease = service.claim_one()
    service.assets.delete(service.asset("image 1").id)

    committed = service.units.commit(result_of(lease))

    found = service.jobs.get(job.id)
    assert committed
    assert service.rows(job.id) == 4
    assert (found.state, found.items_total, found.items_done) == (JobState.SUCCEEDED, 2, 2)


def test_shard_whose_first_asset_was_erased_is_split_without_it(service: Service) -> None:
    service.job(3)
    lease = service.claim_one()
    service.assets.delete(service.asset("image 0").id)
    service.units.fail(lease, "out_of_memory", "", retryable=True)

    singles = [service.claim_one().item for _ in range(2)]

    assert singles == [1, 2]
    assert not service.units.commit(result_of(lease))


def test_job_whose_assets_are_all_erased_ends_cancelled(service: Service) -> None:
    job = service.job(2)
    for number in range(2):
        service.assets.delete(service.asset(f"image {number}").id)

    found = service.jobs.get(job.id)
    assert (found.state, found.items_total) == (JobState.CANCELLED, 0)
    assert found.error is not None
    assert found.error.code == "assets_erased"
    assert service.claim() == ()
    assert service.units.finish_stale_jobs() == 0


def test_partial_job_without_its_bad_file_has_succeeded(service: Service) -> None:
    job = service.job(2)
    failures = {1: ItemFailure("image_corrupt", "")}
    service.units.commit(result_of(service.claim_one(), failures=failures))
    before = service.jobs.get(job.id).state

    service.assets.delete(service.asset("image 1").id)

    assert (before, service.jobs.get(job.id).state) == (JobState.PARTIAL, JobState.SUCCEEDED)


def test_label_that_only_the_erased_image_had_is_no_longer_counted(service: Service) -> None:
    job = service.job(1)
    service.work(found=some_detections(("unicorn", "unicorn")))
    second = service.job(1, prefix="other")
    service.work(found=some_detections(("dog",)))
    service.assets.delete(service.asset("image 0").id)

    assert service.detections.counts(job.id) == ()
    assert [one.label for one in service.detections.counts(second.id)] == ["dog"]


def test_unknown_and_foreign_assets_cannot_be_erased(service: Service) -> None:
    asset = service.asset("a", tenant="a")

    for asset_id, tenant in ((UUID(int=1), "a"), (asset.id, "b")):
        with pytest.raises(NotFound):
            service.assets.delete(asset_id, tenant)


def test_text_that_postgresql_cannot_hold_is_the_callers_mistake(postgresql_url: str) -> None:
    with closing(Database(postgresql_url)) as database, pytest.raises(InvalidRequest):
        AssetStore(database).page("default", limit=1, tag="\0")
