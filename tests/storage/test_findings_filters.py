"""Vectors and names of a job: chosen by filters, in pages, by the right index."""

import re
from dataclasses import replace
from typing import Any

import pytest
from made_findings import (
    all_pages,
    filmed,
    worked,
)
from sqlalchemy import event, text
from storage_service import Service
from video_service import VideoService

from vision.domain.stored import DetectionFilter
from vision.domain.stored_findings import (
    ClassificationFilter,
    Classified,
    Embedded,
    EmbeddingFilter,
    StoredClassification,
    StoredEmbedding,
)
from vision.errors import InvalidRequest
from vision.storage.classifications import ClassificationStore
from vision.storage.database import Database
from vision.storage.embeddings import EmbeddingStore

WHOLE = frozenset((Embedded.IMAGE, Embedded.FRAME))


WHOLE_SORT = re.compile(r"(?<!Incremental )Sort  |B-TREE FOR ORDER BY")


@pytest.mark.parametrize(
    ("changes", "frames"),
    [
        pytest.param({"frame_index": 12}, [12], id="frame"),
        pytest.param({"from_seconds": 0.8, "to_seconds": 1.2}, [8, 9, 10, 11], id="two chunks"),
        pytest.param({"to_seconds": 0.2}, [0, 1], id="beginning"),
        pytest.param({"from_seconds": 1.8}, [18, 19], id="end"),
        pytest.param({"from_seconds": 9.0}, [], id="after the end"),
        pytest.param({"tenant": "other"}, [], id="another tenant"),
    ],
)
def test_places_in_videos_choose_vectors_and_names(
    videos: VideoService,
    embeddings: EmbeddingStore,
    classes: ClassificationStore,
    changes: dict[str, Any],
    frames: list[int],
) -> None:
    job = filmed(videos, 2)
    second = videos.jobs.items(job.id, limit=9).items[1].asset_id
    vectors_of = replace(EmbeddingFilter(job.id, of=WHOLE), **changes)
    names_of = replace(ClassificationFilter(job.id, of={Classified.FRAME}, top=1), **changes)

    for store, chosen in ((embeddings, vectors_of), (classes, names_of)):
        found = all_pages(store, chosen)
        in_second = all_pages(store, replace(chosen, asset_id=second))

        assert [(one.item, one.frame_index) for one in found] == [
            (item, frame) for item in (0, 1) for frame in frames
        ]
        assert [(one.item, one.frame_index) for one in in_second] == [(1, f) for f in frames]


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        pytest.param({"from_seconds": 0.9, "to_seconds": 1.0}, ["act 1"], id="its last frame"),
        pytest.param({"from_seconds": 0.95, "to_seconds": 1.0}, [], id="between clips"),
        pytest.param({"from_seconds": 0.5, "to_seconds": 1.5}, ["act 1", "act 2"], id="parts"),
        pytest.param({"frame_index": 15}, ["act 2"], id="a frame in it"),
    ],
)
def test_clips_are_chosen_by_any_part_of_them(
    videos: VideoService, classes: ClassificationStore, changes: dict[str, Any], labels: list[str]
) -> None:
    job = filmed(videos)

    chosen = ClassificationFilter(job.id, of={Classified.CLIP}, top=1, **changes)

    assert [one.label for one in all_pages(classes, chosen)] == labels


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, 6, id="all"),
        pytest.param({"label": "any"}, 3, id="label"),
        pytest.param({"label": "unicorn"}, 0, id="label that nobody has"),
        pytest.param({"min_score": 0.9}, 3, id="score equal to the limit passes"),
        pytest.param({"min_score": 0.9000001}, 0, id="score just below the limit"),
        pytest.param({"top": 1}, 3, id="best"),
        pytest.param({"of": {Classified.CLIP, Classified.FRAME}}, 0, id="of videos"),
        pytest.param({"from_seconds": 0.0}, 0, id="images have no place"),
        pytest.param({"tenant": "other"}, 0, id="another tenant"),
    ],
)
def test_filters_choose_names(
    service: Service, classes: ClassificationStore, changes: dict[str, Any], expected: int
) -> None:
    job = worked(service, 3)

    found: list[StoredClassification] = all_pages(
        classes, replace(ClassificationFilter(job.id), **changes)
    )

    assert len(found) == expected


def test_filters_choose_vectors(service: Service, embeddings: EmbeddingStore) -> None:
    job = worked(service, 3)
    asset_id = service.asset("image 1").id
    everything: list[StoredEmbedding] = all_pages(embeddings, EmbeddingFilter(job.id))
    detection = everything[4].detection
    assert detection is not None

    of_asset = all_pages(embeddings, EmbeddingFilter(job.id, asset_id=asset_id))
    of_one = all_pages(embeddings, EmbeddingFilter(job.id, detection_id=detection.id))
    of_none = all_pages(embeddings, EmbeddingFilter(job.id, detection_id=7))
    of_stranger = all_pages(embeddings, EmbeddingFilter(job.id, asset_id=job.id))

    assert [one.item for one in of_asset] == [1, 1, 1]
    assert [one.detection.id for one in of_one] == [detection.id]
    assert (of_none, of_stranger) == ([], [])
    assert embeddings.page(EmbeddingFilter(job.id, tenant="other"), limit=9).items == ()


def test_streams_read_more_than_one_batch(
    service: Service,
    embeddings: EmbeddingStore,
    classes: ClassificationStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("embeddings", "classifications"):
        monkeypatch.setattr(f"vision.storage.{module}.STREAM_BATCH", 4)
    job = worked(service, 5)

    assert [one.item for one in embeddings.stream(EmbeddingFilter(job.id))] == [
        item for item in range(5) for _ in range(3)
    ]
    assert [one.item for one in classes.stream(ClassificationFilter(job.id))] == [
        item for item in range(5) for _ in range(2)
    ]


def test_cursor_of_another_list_is_refused(
    service: Service, embeddings: EmbeddingStore, classes: ClassificationStore
) -> None:
    job = worked(service, 2)
    page = embeddings.page(EmbeddingFilter(job.id), limit=1)

    with pytest.raises(InvalidRequest):
        classes.page(ClassificationFilter(job.id), limit=1, cursor=page.next)


@pytest.mark.parametrize(
    ("chosen", "index"),
    [
        pytest.param({}, "embeddings_key", id="all"),
        pytest.param({"frame_index": 17}, "chunk_frames", id="frame"),
        pytest.param({"from_seconds": 0.5, "to_seconds": 1.0}, "chunk_frames", id="stretch"),
    ],
)
def test_vectors_and_names_are_read_by_an_index_in_order(
    videos: VideoService,
    embeddings: EmbeddingStore,
    classes: ClassificationStore,
    chosen: dict[str, Any],
    index: str,
) -> None:
    job = filmed(videos, chunks=6)
    stores: tuple[tuple[Any, Any, str], ...] = (
        (embeddings, EmbeddingFilter(job.id, **chosen), "embeddings"),
        (classes, ClassificationFilter(job.id, **chosen), "classifications"),
    )

    for store, wanted, table in stores:
        plans = _plans(videos.database, store, wanted, table)
        key = (index.replace("embeddings", table), f"sqlite_autoindex_{table}_1")
        assert all(any(name in plan for name in key) for plan in plans), plans
        assert [plan for plan in plans if WHOLE_SORT.search(plan)] == []
        assert not any(f"Seq Scan on {table}" in plan for plan in plans), plans


def test_the_vector_of_a_detection_is_found_by_its_index(
    service: Service, embeddings: EmbeddingStore
) -> None:
    job = worked(service, 40)
    (known,) = service.detections.page(DetectionFilter(job_id=job.id), limit=1).items

    plans = _plans(
        service.database,
        embeddings,
        EmbeddingFilter(job.id, detection_id=known.id),
        "embeddings",
    )

    assert "embeddings_of_detection" in plans[0], plans


def _plans(database: Database, store: Any, chosen: Any, table: str) -> list[str]:
    """Of the first and the second page's query."""
    statements: list[tuple[str, Any]] = []

    def remember(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        if f"FROM {table}" in statement:
            statements.append((statement, parameters))

    if database.is_postgresql:
        with database.begin() as connection:
            connection.execute(text("analyze"))
    event.listen(database.engine, "before_cursor_execute", remember)
    first = store.page(chosen, limit=1)
    store.page(chosen, limit=1, cursor=first.next)
    event.remove(database.engine, "before_cursor_execute", remember)
    return [_plan(database, *one) for one in statements]


def _plan(database: Database, statement: str, parameters: Any) -> str:
    prefix = "explain" if database.is_postgresql else "explain query plan"
    with database.read() as connection:
        if database.is_postgresql:
            # A table of a hundred rows is read whole, whatever its indexes are.
            for kind in ("seqscan", "bitmapscan", "hashjoin"):
                connection.execute(text(f"set local enable_{kind} = off"))
        rows = connection.exec_driver_sql(f"{prefix} {statement}", parameters).all()
    return "\n".join(str(row[-1]) for row in rows)
