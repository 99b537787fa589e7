"""Vectors and names that are refused, come late, belong to failed pictures, or are erased."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_findings import (
    all_pages,
    filmed,
    findings,
    images_of,
    vectors,
    worked,
)
from storage_service import PROVENANCE, Service, some_detections
from video_service import VideoService

from vision.domain.detections import Detections
from vision.domain.findings import Findings
from vision.domain.job import ChunkResult, ItemFailure, ItemResult, UnitResult
from vision.domain.states import UnitKind
from vision.domain.stored import DetectionFilter
from vision.domain.stored_findings import (
    ClassificationFilter,
    Embedded,
    EmbeddingFilter,
)
from vision.domain.track import TRACKS_PER_ITEM
from vision.domain.video import FrameFindings
from vision.storage.classifications import ClassificationStore
from vision.storage.embeddings import EmbeddingStore


def test_followed_objects_become_tracks_of_their_item(videos: VideoService) -> None:
    job = videos.video_job(2, pipeline={"detect": {}})
    while leases := videos.claim():
        (lease,) = leases
        if lease.kind is not UnitKind.CHUNK:
            videos.units.commit(videos.result(lease, chunks=1))
            continue
        found = replace(some_detections(), object_ids=np.array([7, 3]))
        frames = (
            FrameFindings(0, 0.0, Findings(found)),
            FrameFindings(1, 0.1, Findings.empty()),
            FrameFindings(2, 0.2, Findings(some_detections(("cat",)))),
        )
        assert videos.units.commit(ChunkResult(lease, frames, PROVENANCE))

    stored = list(videos.detections.stream(DetectionFilter(job_id=job.id)))
    chosen = DetectionFilter(job_id=job.id, track_id=TRACKS_PER_ITEM + 3)
    (car,) = videos.detections.stream(chosen)

    assert [one.track_id for one in stored] == [7, 3, None, 1_000_007, 1_000_003, None]
    assert (car.item, car.label) == (1, "car")


def test_objects_pointed_at_in_an_image_keep_their_numbers(service: Service) -> None:
    """A film of one frame, without a place in time."""
    job = service.job(2)
    service.work(found=replace(some_detections(), object_ids=np.array([7, 3])))

    stored = list(service.detections.stream(DetectionFilter(job_id=job.id)))
    for chosen in (
        DetectionFilter(job_id=job.id, track_id=TRACKS_PER_ITEM + 3),
        DetectionFilter(track_id=TRACKS_PER_ITEM + 3),
    ):
        (car,) = service.detections.stream(chosen)
        assert (car.item, car.label) == (1, "car")

    assert [one.track_id for one in stored] == [7, 3, 1_000_007, 1_000_003]
    assert list(service.detections.stream(DetectionFilter(job_id=job.id, track_id=2**62))) == []


@pytest.mark.parametrize("number", [0, -1, TRACKS_PER_ITEM])
def test_object_numbers_that_are_no_tracks_are_refused_loudly(
    videos: VideoService, number: int
) -> None:
    videos.video_job(pipeline={"detect": {}})
    (lease,) = videos.probed(1)
    found = replace(some_detections(("dog",)), object_ids=np.array([number]))

    with pytest.raises(ValueError, match="numbers from 1"):
        videos.units.commit(
            ChunkResult(lease, (FrameFindings(0, 0.0, Findings(found)),), PROVENANCE)
        )


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(np.full(4, np.nan, np.float32), id="not a number"),
        pytest.param(np.ones(4, np.float32), id="not of length 1"),
        pytest.param(np.zeros(4, np.float32), id="of no length"),
        pytest.param(vectors(2, seed=1), id="two"),
    ],
)
def test_vectors_that_are_none_are_refused_loudly(service: Service, vector: Any) -> None:
    service.job()
    lease = service.claim_one()

    with pytest.raises(ValueError, match="length 1"):
        service.units.commit(images_of(lease, embedding=vector))
    assert service.units.commit(images_of(lease))


def test_vectors_without_the_stage_that_made_them_are_refused_loudly(service: Service) -> None:
    service.job()
    result = images_of(service.claim_one())

    with pytest.raises(ValueError, match="provenance"):
        service.units.commit(replace(result, provenance=PROVENANCE))
    assert service.value("select count(*) from detections") == 0


def test_a_late_commit_stores_neither_vectors_nor_names(
    service: Service, embeddings: EmbeddingStore, classes: ClassificationStore
) -> None:
    job = service.job()
    late = service.claim_one(seconds=-1.0)
    service.units.reap()
    again = service.claim_one()

    assert not service.units.commit(images_of(late))
    assert service.units.commit(images_of(again))
    assert service.units.commit(images_of(again))

    assert len(all_pages(embeddings, EmbeddingFilter(job.id))) == 3
    assert len(all_pages(classes, ClassificationFilter(job.id))) == 2


def test_a_failed_picture_among_good_ones_has_neither(
    service: Service, embeddings: EmbeddingStore
) -> None:
    job = service.job(3)
    result = images_of(service.claim_one())
    bad = ItemResult(1, failure=ItemFailure("image_truncated", "torn"))
    service.units.commit(replace(result, items=(result.items[0], bad, result.items[2])))

    found = all_pages(embeddings, EmbeddingFilter(job.id, of={Embedded.DETECTION}))

    assert [one.item for one in found] == [0, 0, 2, 2]
    assert [one.detection.label for one in found] == ["dog", "car"] * 2
    np.testing.assert_array_equal(found[2].vector, findings(2).detections.embeddings[0])


def test_erased_picture_takes_its_vectors_and_names_along(
    service: Service, embeddings: EmbeddingStore, classes: ClassificationStore
) -> None:
    job = worked(service, 2)

    service.assets.delete(service.asset("image 0").id)

    assert {one.item for one in embeddings.stream(EmbeddingFilter(job.id))} == {1}
    assert {one.item for one in classes.stream(ClassificationFilter(job.id))} == {1}
    assert service.value("select count(*) from embeddings") == 3
    assert service.value("select count(*) from classifications") == 2


def test_picture_that_is_erased_while_it_is_worked_on_leaves_nothing(service: Service) -> None:
    service.job(2)
    lease = service.claim_one()
    service.assets.delete(service.asset("image 0").id)

    assert service.units.commit(images_of(lease))

    assert service.value("select min(item) from embeddings") == 1
    assert service.value("select count(*) from classifications") == 2


@pytest.mark.parametrize("rows", [2, 100], ids=["in many steps", "at once"])
def test_deleted_job_leaves_no_row(
    videos: VideoService, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    for name in ("ROWS_PER_DELETE", "VECTORS_PER_DELETE"):
        monkeypatch.setattr(f"vision.storage.erasure.{name}", rows)
    filmed(videos)
    worked(videos)
    for job in videos.jobs.page("default", limit=9).items:
        videos.jobs.delete(job.id)

    left = videos.tables_with_rows()

    assert set(left) <= {"assets", "doomed_blobs", "provenances", "tenants"}


def test_erased_video_leaves_no_row(videos: VideoService) -> None:
    job = filmed(videos)
    (item,) = videos.jobs.items(job.id, limit=9).items

    videos.assets.delete(item.asset_id)

    assert videos.tables_with_rows().keys().isdisjoint({"embeddings", "classifications"})


def test_pictures_without_any_are_done_without_rows(service: Service) -> None:
    job = service.job()
    lease = service.claim_one()
    nothing = ItemResult(0, findings=Findings(Detections.empty()))

    assert service.units.commit(UnitResult(lease, (nothing,), PROVENANCE))
    assert service.jobs.get(job.id).items_done == 1
    assert service.tables_with_rows().keys().isdisjoint({"embeddings", "classifications"})
