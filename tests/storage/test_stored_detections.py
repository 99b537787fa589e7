"""Stored detections: what went in comes out, filtered, in pages, by the right index."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, text
from storage_service import PROVENANCE, SIZE, Service, result_of, some_detections

from vision.domain.detections import Detections
from vision.domain.image import ImageSize
from vision.domain.job import UnitResult
from vision.domain.mask import RleMask
from vision.domain.stored import DetectionFilter, StoredDetection, as_detections
from vision.errors import InvalidRequest


def _all(service: Service, chosen: DetectionFilter, *, limit: int = 3) -> list[StoredDetection]:
    """Page by page, as a client does."""
    found: list[StoredDetection] = []
    cursor = None
    while True:
        page = service.detections.page(chosen, limit=limit, cursor=cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


def test_stored_detections_are_the_models_again(service: Service) -> None:
    job = service.job()
    found = some_detections(("dog", "car", "crate"))
    service.work(found=found)

    stored = list(service.detections.stream(DetectionFilter(job_id=job.id)))

    again = as_detections(stored)
    for name in ("boxes", "class_ids", "scores", "keypoints", "predicted_iou", "stability_scores"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert (again.labels, again.masks) == (found.labels, found.masks)
    assert stored[0].box == (2.1, 0.0, 9.3, 5.0)
    assert stored[0].score == 0.9
    assert stored[0].provenance_digest == PROVENANCE.digest
    assert stored[0].size == SIZE


def test_columns_that_a_model_does_not_give_stay_empty(service: Service) -> None:
    job = service.job()
    boxes = np.array([[0, 0, 4, 4]], np.float32)
    service.work(found=Detections(boxes, ("object",), np.zeros(1, np.int64)))

    (stored,) = service.detections.stream(DetectionFilter(job_id=job.id))

    assert (stored.score, stored.mask, stored.keypoints) == (None, None, None)
    assert (stored.predicted_iou, stored.stability_score, stored.track_id) == (None, None, None)
    assert as_detections([stored]).masks is None


def test_picture_without_detections_is_done_with_none(service: Service) -> None:
    job = service.job()
    service.work(found=Detections.empty())

    assert service.detections.page(DetectionFilter(job_id=job.id), limit=9).items == ()
    assert service.jobs.get(job.id).items_done == 1


def test_masks_and_keypoints_come_only_when_asked_for(service: Service) -> None:
    chosen = DetectionFilter(job_id=service.job().id)
    service.work()

    plain = service.detections.page(chosen, limit=1).items[0]
    page = service.detections.page(chosen, limit=1, include_masks=True, include_keypoints=True)
    full = page.items[0]

    assert (plain.mask, plain.keypoints) == (None, None)
    assert full.mask is not None
    assert full.mask.size == SIZE
    assert full.keypoints is not None
    assert full.keypoints.shape == (2, 3)


def test_job_pages_follow_the_jobs_order_without_gap_or_repeat(service: Service) -> None:
    job = service.job(40)
    while leases := service.claim():
        for lease in leases[::-1]:
            service.units.commit(result_of(lease))

    found = _all(service, DetectionFilter(job_id=job.id), limit=7)

    assert [one.item for one in found] == [n for n in range(40) for _ in range(2)]
    assert [one.label for one in found] == ["dog", "car"] * 40


def test_pages_across_jobs_are_newest_first_and_best_first_within_an_image(
    service: Service,
) -> None:
    jobs = []
    for number in range(3):
        jobs.append(service.job(prefix=f"job {number}").id)
        service.work()

    found = _all(service, DetectionFilter())

    assert [one.job_id for one in found] == [job for job in jobs[::-1] for _ in range(2)]
    assert [one.label for one in found] == ["dog", "car"] * 3
    assert len({one.id for one in found}) == 6


@pytest.mark.parametrize("in_job", [True, False], ids=["in one job", "across jobs"])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"label": "car"}, 4, id="label"),
        pytest.param({"label": "unicorn"}, 0, id="label that nobody has"),
        pytest.param({"min_score": 0.9}, 4, id="score equal to the limit passes"),
        pytest.param({"min_score": 0.9000001}, 0, id="score just below the limit"),
        pytest.param({"label": "car", "min_score": 0.9}, 0, id="both"),
        pytest.param({"since": 0.0}, 8, id="since ever"),
        pytest.param({"until": 0.0}, 0, id="until the beginning"),
        pytest.param({"since": 9e9}, 0, id="since a later century"),
        pytest.param({"since": 1e30}, 0, id="since never"),
        pytest.param({"tag": "night"}, 8, id="tag"),
        pytest.param({"tag": "day"}, 0, id="another tag"),
        pytest.param({"track_id": 1}, 0, id="track"),
        pytest.param({"frame_index": 0}, 0, id="frame"),
        pytest.param({"from_seconds": 0.0, "to_seconds": 9.0}, 0, id="video time"),
        pytest.param({"tenant": "other"}, 0, id="another tenant"),
    ],
)
def test_filters_choose(
    service: Service, in_job: bool, changes: dict[str, Any], expected: int
) -> None:
    job = service.job(4, tags=("night",))
    service.work()

    chosen = replace(DetectionFilter(job_id=job.id if in_job else None), **changes)

    assert len(_all(service, chosen)) == expected


def test_detections_of_one_asset_in_one_job_and_in_all(service: Service) -> None:
    first, second = service.job(3), service.job(3)
    service.work()
    asset_id = service.asset("image 1").id

    in_one = _all(service, DetectionFilter(job_id=first.id, asset_id=asset_id))
    in_all = _all(service, DetectionFilter(asset_id=asset_id))

    assert {(one.job_id, one.item) for one in in_one} == {(first.id, 1)}
    assert [one.job_id for one in in_all] == [second.id] * 2 + [first.id] * 2


def test_since_and_until_split_the_time_at_which_rows_were_stored(service: Service) -> None:
    service.job(prefix="a")
    service.work()
    (first, *_) = _all(service, DetectionFilter())
    middle = first.stored_at + 0.001
    while service.database.now() < middle + 0.001:
        pass
    service.job(prefix="b")
    service.work()

    before = _all(service, DetectionFilter(until=middle))
    after = _all(service, DetectionFilter(since=middle))

    assert (len(before), len(after)) == (2, 2)
    assert before[0].job_id == first.job_id != after[0].job_id
    assert abs(first.stored_at - service.database.now()) < 60


def test_masks_without_scores_pass_no_score_filter(service: Service) -> None:
    service.job()
    service.work(found=replace(some_detections(), scores=None))

    assert len(_all(service, DetectionFilter())) == 2
    assert _all(service, DetectionFilter(min_score=0.0)) == []


def test_counts_are_kept_per_label(service: Service) -> None:
    job = service.job(40)
    service.work(found=some_detections(("dog", "car", "dog")))

    counts = [(one.label, one.detections, one.items) for one in service.detections.counts(job.id)]

    assert counts == [("dog", 80, 40), ("car", 40, 40)]
    assert service.detections.counts(job.id, "other") == ()


def test_mask_of_another_size_than_the_image_is_refused_loudly(service: Service) -> None:
    service.job()
    lease = service.claim_one()
    wrong = RleMask.from_bitmap(np.ones((3, 3), bool))
    found = replace(some_detections(("dog",)), masks=(wrong,))

    with pytest.raises(ValueError, match=str(ImageSize(3, 3).width)):
        service.units.commit(result_of(lease, found=found))
    assert service.units.commit(result_of(lease))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_loudly(service: Service, bad: float) -> None:
    service.job()
    lease = service.claim_one()
    found = replace(some_detections(("dog",)), scores=np.array([bad], np.float32))

    with pytest.raises(ValueError, match="not finite"):
        service.units.commit(result_of(lease, found=found))


def test_cursor_of_the_other_order_is_refused(service: Service) -> None:
    job = service.job(3)
    service.work()
    page = service.detections.page(DetectionFilter(job_id=job.id), limit=1)

    with pytest.raises(InvalidRequest):
        service.detections.page(DetectionFilter(), limit=1, cursor=page.next)


def test_ids_are_unique_and_grow_with_time_over_many_commits(service: Service) -> None:
    service.job(64, prefix="a")
    labels = tuple(f"label {number}" for number in range(50))
    lease = service.claim_one()
    service.units.commit(result_of(lease, found=some_detections(labels)))
    service.work(found=some_detections(labels))

    ids = [one.id for one in service.detections.stream(DetectionFilter())]

    assert len(ids) == 3200
    assert ids == sorted(set(ids), reverse=True)


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param({}, id="newest"),
        pytest.param({"label": "dog"}, id="label"),
        pytest.param({"min_score": 0.5}, id="score"),
        pytest.param({"label": "dog", "min_score": 0.5}, id="label and score"),
        pytest.param({"since": 1.0, "until": 9e9}, id="time"),
    ],
)
def test_lists_across_jobs_are_read_from_an_index_in_order(
    service: Service, chosen: dict[str, Any]
) -> None:
    service.job(64)
    service.work()

    plan = _plan(service, DetectionFilter(**chosen))

    assert "detections_newest" in plan
    assert "sort" not in plan.lower()
    assert "temp b-tree" not in plan.lower()


def test_one_jobs_list_is_read_from_the_primary_key_in_order(service: Service) -> None:
    job = service.job(64)
    service.work()

    plan = _plan(service, DetectionFilter(job_id=job.id))

    assert "detections_key" in plan or "sqlite_autoindex_detections_1" in plan
    assert "sort" not in plan.lower()
    assert "temp b-tree" not in plan.lower()


def test_result_may_have_no_provenance_when_every_item_failed(service: Service) -> None:
    service.job()
    lease = service.claim_one()
    result = result_of(lease)

    assert service.units.commit(UnitResult(lease, result.items, None))


def _plan(service: Service, chosen: DetectionFilter) -> str:
    """Of the second page's query, with sequential scans and sorts made unattractive."""
    statements: list[tuple[str, Any]] = []
    page = service.detections.page(chosen, limit=10)

    def remember(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM detections" in statement:
            statements.append((statement, parameters))

    event.listen(service.database.engine, "before_cursor_execute", remember)
    service.detections.page(chosen, limit=10, cursor=page.next)
    (asked, *_) = statements
    event.remove(service.database.engine, "before_cursor_execute", remember)
    prefix = "explain" if service.database.is_postgresql else "explain query plan"
    with service.database.read() as connection:
        if service.database.is_postgresql:
            # A table of a hundred rows is read whole, whatever its indexes are.
            connection.execute(text("set local enable_seqscan = off"))
            connection.execute(text("set local enable_bitmapscan = off"))
        rows = connection.exec_driver_sql(f"{prefix} {asked[0]}", asked[1]).all()
    return "\n".join(str(row[-1]) for row in rows)
