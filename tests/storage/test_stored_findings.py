"""Vectors and names of whole pictures: what went in comes out."""

from dataclasses import replace

import numpy as np
import pytest
from made_findings import (
    DIMENSIONS,
    RUN,
    all_pages,
    clip,
    filmed,
    findings,
    images_of,
    names,
    worked,
)
from storage_service import Service, some_detections
from video_service import FPS, VideoService

from vision.domain.findings import ClassScore, Findings
from vision.domain.job import ChunkResult, ItemResult, UnitResult
from vision.domain.stored import DetectionFilter
from vision.domain.stored_findings import (
    ClassificationFilter,
    Classified,
    Embedded,
    EmbeddingFilter,
)
from vision.domain.video import FrameFindings
from vision.storage.classifications import ClassificationStore
from vision.storage.embeddings import EmbeddingStore

WHOLE = frozenset((Embedded.IMAGE, Embedded.FRAME))


def test_stored_vectors_are_the_models_again(service: Service, embeddings: EmbeddingStore) -> None:
    job = worked(service, 2)

    found = all_pages(embeddings, EmbeddingFilter(job.id))

    assert [(one.item, one.of.value) for one in found] == [
        (item, of) for item in (0, 1) for of in ("image", "detection", "detection")
    ]
    for item in (0, 1):
        whole, *rows = (one.vector for one in found if one.item == item)
        np.testing.assert_array_equal(whole, findings(item).embedding)
        np.testing.assert_array_equal(rows, findings(item).detections.embeddings)
    (first, *_) = found
    assert (first.model, first.weights_sha256) == ("small_dino", "e" * 64)
    assert (first.dimensions, first.provenance_digest) == (DIMENSIONS, RUN.digest)
    assert first.asset_id == service.asset("image 0").id


def test_vector_of_a_detection_knows_its_detection(
    service: Service, embeddings: EmbeddingStore
) -> None:
    job = worked(service, 2)
    of_rows = EmbeddingFilter(job.id, of=frozenset((Embedded.DETECTION,)))

    found = all_pages(embeddings, of_rows)

    rows = list(service.detections.stream(DetectionFilter(job_id=job.id)))
    assert [one.detection.id for one in found] == [row.id for row in rows]
    assert [one.detection.label for one in found] == ["dog", "car"] * 2
    assert found[0].detection.box == (2.1, 0.0, 9.3, 5.0)
    assert found[0].detection.mask is None


def test_detections_come_with_their_vectors_when_asked(service: Service) -> None:
    job = worked(service, 2)
    chosen = DetectionFilter(job_id=job.id)

    plain = next(service.detections.stream(chosen))
    found = list(service.detections.stream(chosen, include_embeddings=True))

    assert plain.embedding is None
    np.testing.assert_array_equal(
        [one.embedding for one in found[2:]], findings(1).detections.embeddings
    )
    np.testing.assert_array_equal(found[0].detection.embedding, found[0].embedding)


def test_detections_without_vectors_have_none_when_asked(service: Service) -> None:
    service.job()
    service.work()

    page = service.detections.page(DetectionFilter(), limit=9, include_embeddings=True)

    assert [one.embedding for one in page.items] == [None, None]


def test_vectors_stay_away_when_they_are_not_wanted(
    service: Service, embeddings: EmbeddingStore
) -> None:
    job = worked(service, 1)

    (first, *_) = embeddings.page(EmbeddingFilter(job.id), limit=9, include_vectors=False).items

    assert (first.vector, first.dimensions) == (None, DIMENSIONS)


def test_stored_names_are_the_models_again(service: Service, classes: ClassificationStore) -> None:
    job = worked(service, 2)

    found = all_pages(classes, ClassificationFilter(job.id))

    assert [(one.item, one.rank, one.label, one.class_id, one.score) for one in found] == [
        (0, 1, "kind 0", 10, 0.9),
        (0, 2, "any", 11, 0.6),
        (1, 1, "kind 1", 10, 0.9),
        (1, 2, "any", 11, 0.6),
    ]
    assert {one.of for one in found} == {Classified.IMAGE}
    assert {(one.frame_index, one.first_frame, one.from_seconds) for one in found} == {
        (None, None, None)
    }
    assert found[0].provenance_digest == RUN.digest


def test_items_tell_how_many_vectors_and_the_best_names(service: Service) -> None:
    job = service.job(2)
    lease = service.claim_one()
    plain = ItemResult(1, findings=Findings(some_detections()))
    (first,) = images_of(replace(lease, items=lease.items[:1])).items
    service.units.commit(UnitResult(lease, (first, plain), RUN))

    named, unnamed = service.jobs.items(job.id, limit=9).items

    assert (named.embeddings, unnamed.embeddings) == (3, 0)
    assert named.classes == (ClassScore("kind 0", 10, 0.9), ClassScore("any", 11, 0.6))
    assert unnamed.classes is None


def test_a_picture_of_no_class_above_the_limit_has_an_empty_list(service: Service) -> None:
    job = service.job()
    service.units.commit(images_of(service.claim_one(), classes=names()))

    (item,) = service.jobs.items(job.id, limit=9).items

    assert item.classes == ()


def test_items_name_the_best_five_only(service: Service) -> None:
    job = service.job()
    many = names(*(f"n {number}" for number in range(4)), best=0.95)
    service.units.commit(images_of(service.claim_one(), classes=many))
    wide = service.job(prefix="other")
    scores = np.linspace(0.9, 0.1, 8).astype(np.float32)
    eight = replace(many, labels=tuple("abcdefgh"), class_ids=np.arange(8), scores=scores)
    service.units.commit(images_of(service.claim_one(), classes=eight))

    (few,), (best,) = (service.jobs.items(one.id, limit=9).items for one in (job, wide))

    assert few.classes is not None
    assert len(few.classes) == 4
    assert best.classes is not None
    assert [one.label for one in best.classes] == list("abcde")


def test_frames_have_vectors_and_names_with_their_place(
    videos: VideoService, embeddings: EmbeddingStore, classes: ClassificationStore
) -> None:
    job = filmed(videos)

    whole = all_pages(embeddings, EmbeddingFilter(job.id, of=WHOLE), limit=7)
    rows = all_pages(embeddings, EmbeddingFilter(job.id, of={Embedded.DETECTION}), limit=7)
    named = all_pages(classes, ClassificationFilter(job.id, of={Classified.FRAME}, top=1))

    assert [one.frame_index for one in whole] == list(range(20))
    assert [one.pts_seconds for one in whole] == [number / FPS for number in range(20)]
    assert {one.of for one in whole} == {Embedded.FRAME}
    assert [one.frame_index for one in rows] == list(range(0, 20, 2))
    assert all(one.detection.frame_index == one.frame_index for one in rows)
    for number in (0, 9, 10, 19):
        np.testing.assert_array_equal(whole[number].vector, findings(number).embedding)
    assert [one.label for one in named] == [f"kind {number}" for number in range(20)]
    assert [(one.first_frame, one.from_seconds) for one in named] == [
        (number, number / FPS) for number in range(20)
    ]


def test_clips_have_names_with_their_stretch(
    videos: VideoService, classes: ClassificationStore
) -> None:
    job = filmed(videos)

    found = all_pages(classes, ClassificationFilter(job.id, of={Classified.CLIP}))

    assert [(one.label, one.rank) for one in found] == [
        ("act 1", 1),
        ("rest", 2),
        ("act 2", 1),
        ("rest", 2),
    ]
    assert [(one.first_frame, one.last_frame) for one in found[::2]] == [(0, 9), (10, 19)]
    assert [(one.from_seconds, one.to_seconds) for one in found[::2]] == [(0.0, 0.9), (1.0, 1.9)]
    assert found[0].frame_index is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)], ids=["in order", "out of order"])
def test_names_of_a_video_are_the_best_anywhere_whatever_came_first(
    videos: VideoService, order: tuple[int, ...]
) -> None:
    job = videos.video_job(pipeline={"classify": {}})
    leases = videos.probed(3)
    said = [clip(0, 9, "run", "sit", best=0.5), clip(10, 19, "sit", best=0.7), clip(20, 29, "run")]
    for place in order:
        frames = (FrameFindings(place * 10, float(place), Findings.empty()),)
        videos.units.commit(ChunkResult(leases[place], frames, RUN, clips=(said[place],)))

    (item,) = videos.jobs.items(job.id, limit=9).items

    assert item.classes == (ClassScore("run", 10, 0.8), ClassScore("sit", 10, 0.7))
    assert item.embeddings == 0
