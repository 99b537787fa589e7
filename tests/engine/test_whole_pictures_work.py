"""Vectors and names from a pipeline of the product to the database, for images and videos."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from follow_workshop import add_scenes, open_color_pipeline, rows_of
from workshop import Workshop, add_pictures, open_workshop, settings_for, submit

from vision.domain.findings import unit_length
from vision.domain.states import JobState
from vision.domain.stored_findings import (
    ClassificationFilter,
    Classified,
    Embedded,
    EmbeddingFilter,
    StoredEmbedding,
)
from vision.engine.station import Pace
from vision.engine.work_loop import work
from vision.pipelines.document import parse_pipeline

FRAMES = 25
DETECT = {"detect": {"model": "colors"}}


@pytest.fixture
def screening(tmp_path: Path, database_url: str) -> Iterator[Workshop]:
    """A workshop for clips of colors, in chunks of 10 frames."""
    settings = settings_for(tmp_path / "data", database_url, chunk_frames=10)
    with open_workshop(settings, open_pipeline=open_color_pipeline) as opened:
        yield opened


def worked(screening: Workshop, assets: list[UUID], document: Mapping[str, object]) -> UUID:
    """The ended job."""
    job = submit(screening.engine, assets, parse_pipeline(document).normal_form)
    work(screening.station, Pace())
    assert screening.engine.jobs.get(job.id).state is JobState.SUCCEEDED
    return job.id


def vectors_of(screening: Workshop, job_id: UUID) -> list[StoredEmbedding]:
    return list(screening.engine.embeddings.stream(EmbeddingFilter(job_id)))


def test_images_have_the_vectors_of_their_own_pixels(screening: Workshop) -> None:
    assets = add_pictures(screening.engine, 4)[1:]

    job_id = worked(screening, assets, {"embed": {"model": "mean"}})

    found = vectors_of(screening, job_id)
    assert [(one.item, one.of) for one in found] == [(n, Embedded.IMAGE) for n in range(3)]
    np.testing.assert_array_equal([one.vector for one in found], [[1, 0, 0]] * 3)
    assert {(one.model, one.weights_sha256) for one in found} == {("mean", "2" * 64)}
    assert found[0].asset_id == assets[0]


def test_every_frame_has_its_vector(screening: Workshop) -> None:
    asset = add_scenes(screening.engine, FRAMES)

    job_id = worked(screening, [asset], {"embed": {"model": "mean"}})

    found = vectors_of(screening, job_id)
    assert [one.frame_index for one in found] == list(range(FRAMES))
    assert {one.of for one in found} == {Embedded.FRAME}
    (item,) = screening.engine.jobs.items(job_id, limit=9).items
    assert (item.embeddings, item.detections) == (FRAMES, 0)


def test_what_was_found_in_frames_has_the_vector_of_its_box(screening: Workshop) -> None:
    asset = add_scenes(screening.engine, FRAMES)

    embed = {"embed": {"model": "mean", "of": "detections"}}
    job_id = worked(screening, [asset], {**DETECT, **embed})

    found = vectors_of(screening, job_id)
    rows = rows_of(screening.engine, job_id)
    assert len(rows) == 2 * FRAMES
    assert [one.detection.id for one in found if one.detection] == [row.id for row in rows]
    red, blue = unit_length(np.array([[250, 20, 20], [20, 20, 250]]))
    for one in found:
        assert one.vector is not None
        assert one.detection is not None
        wanted, other = (red, blue) if one.detection.label == "red thing" else (blue, red)
        assert one.vector @ wanted > one.vector @ other


def test_clips_of_every_chunk_have_a_name_beside_the_frames_boxes(screening: Workshop) -> None:
    asset = add_scenes(screening.engine, FRAMES)

    classify = {"classify": {"model": "moves", "top": 1}}
    job_id = worked(screening, [asset], {**DETECT, **classify})

    said = list(screening.engine.classifications.stream(ClassificationFilter(job_id)))
    (item,) = screening.engine.jobs.items(job_id, limit=9).items
    assert {one.of for one in said} == {Classified.CLIP}
    assert {one.rank for one in said} == {1}
    starts = [one.first_frame for one in said]
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert said[-1].last_frame == FRAMES - 1
    assert item.classes is not None
    assert {one.label for one in item.classes} == {one.label for one in said}
    assert item.detections == 2 * FRAMES
