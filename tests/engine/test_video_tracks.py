"""Objects followed over stored detections: as the last unit of a job, and again without a model."""

from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from uuid import UUID

import pytest
from PIL import Image
from video_workshop import FOLLOWED, LANES, SPOTS, SpotPipeline, add_clip, as_text
from workshop import Workshop, submit

from vision.domain.states import ItemState, JobState
from vision.domain.stored import DetectionFilter, StoredTrack, TrackFilter
from vision.engine.station import Pace, RunsImages
from vision.engine.submit import JobRequest
from vision.engine.work_loop import work
from vision.errors import Conflict, InvalidPipeline, NotFound

PACE = Pace()
DETECT = {"detect": {"model": "demo_maskrcnn"}}


def no_model(_document: Mapping[str, object]) -> RunsImages:
    raise AssertionError("a model was asked for")


def tracks_of(cinema: Workshop, job_id: UUID) -> list[StoredTrack]:
    return list(cinema.engine.tracks.stream(TrackFilter(job_id=job_id)))


def test_each_object_is_one_track_across_chunks(cinema: Workshop) -> None:
    job = submit(cinema.engine, [add_clip(cinema.engine, 50)], FOLLOWED)

    work(cinema.station, PACE)

    found = tracks_of(cinema, job.id)
    assert cinema.engine.jobs.get(job.id).state is JobState.SUCCEEDED
    assert [row.track.track_id for row in found] == [1, 2]
    assert [row.track.detections for row in found] == [50, 50]
    assert [(row.track.first_frame, row.track.last_frame) for row in found] == [(0, 49)] * 2
    rows = cinema.engine.detections.stream(DetectionFilter(job_id=job.id))
    assert {(row.track_id, row.box[1] >= LANES[1][0]) for row in rows} == {(1, False), (2, True)}


def test_the_best_moment_of_each_track_is_kept_as_a_picture(cinema: Workshop) -> None:
    job = submit(cinema.engine, [add_clip(cinema.engine, 50)], FOLLOWED)

    work(cinema.station, PACE)

    for row in tracks_of(cinema, job.id):
        assert row.crop is not None
        assert row.crops_blob_key is not None
        start, length = row.crop
        blob = b"".join(cinema.engine.blobs.stream(row.crops_blob_key, start, start + length))
        with Image.open(BytesIO(blob)) as picture:
            x1, _, x2, _ = row.track.best.box
            assert picture.format == "JPEG"
            assert x2 - x1 <= picture.width <= (x2 - x1) * 1.2 + 2
            assert picture.getpixel((picture.width // 2, picture.height // 2)) > (200, 200, 200)


def test_a_video_without_objects_has_no_tracks_and_no_blob(cinema: Workshop) -> None:
    engine = cinema.engine
    nothing = {**FOLLOWED, "sample": {"start_seconds": 4.0, "keyframes_only": True}}
    job = submit(engine, [add_clip(engine, 50)], nothing)

    work(cinema.station, PACE)

    assert engine.jobs.get(job.id).state is JobState.SUCCEEDED
    assert tracks_of(cinema, job.id) == []


def test_another_track_stage_runs_no_model(cinema: Workshop) -> None:
    engine = cinema.engine
    job = submit(engine, [add_clip(engine, 50)], FOLLOWED)
    work(cinema.station, PACE)
    again = {**SPOTS, "track": {"algorithm": "sort", "minimum_consecutive_frames": 3}}

    engine.jobs.retrack(job.id, pipeline=again, pipeline_sha256="again")
    work(replace(cinema.station, open_pipeline=no_model), PACE)

    (item,) = engine.jobs.items(job.id, limit=1).items
    assert engine.jobs.get(job.id).state is JobState.SUCCEEDED
    assert item.track_parameters is not None
    assert item.track_parameters["algorithm"] == "sort"
    assert [row.track.track_id for row in tracks_of(cinema, job.id)] == [1, 2]


def test_a_job_without_tracks_gets_them_later_just_the_same(cinema: Workshop) -> None:
    engine = cinema.engine
    asset = add_clip(engine, 50)
    at_once, later = submit(engine, [asset], FOLLOWED), submit(engine, [asset], SPOTS)
    work(cinema.station, PACE)
    assert tracks_of(cinema, later.id) == []

    engine.jobs.retrack(later.id, pipeline=FOLLOWED, pipeline_sha256="later")
    work(replace(cinema.station, open_pipeline=no_model), PACE)

    assert as_text(engine, later.id) == as_text(engine, at_once.id)


@pytest.mark.parametrize("is_gone", [True, False], ids=["gone", "no video any more"])
def test_tracks_of_a_video_that_cannot_be_read_have_no_pictures(
    cinema: Workshop, is_gone: bool
) -> None:
    engine = cinema.engine
    asset = add_clip(engine, 50)
    job = submit(engine, [asset], SPOTS)
    work(cinema.station, PACE)
    path = engine.blobs.source(engine.assets.get(asset).blob_key)
    assert not isinstance(path, bytes)
    path.unlink() if is_gone else path.write_bytes(path.read_bytes()[:200])

    engine.jobs.retrack(job.id, pipeline=FOLLOWED, pipeline_sha256="again")
    work(cinema.station, PACE)

    found = tracks_of(cinema, job.id)
    assert engine.jobs.get(job.id).state is JobState.SUCCEEDED
    assert [row.crop for row in found] == [None, None]


def test_the_track_stage_of_a_job_is_checked_before_it_is_taken(cinema: Workshop) -> None:
    engine = cinema.engine
    job, _ = engine.submissions.submit(JobRequest((add_clip(engine, 30),), DETECT))
    with pytest.raises(Conflict):
        engine.submissions.retrack(job.id, {"algorithm": "bytetrack"})
    work(replace(cinema.station, open_pipeline=lambda _document: SpotPipeline()), PACE)

    with pytest.raises(InvalidPipeline) as refused:
        engine.submissions.retrack(job.id, {"algorithm": "magic"})
    with pytest.raises(NotFound):
        engine.submissions.retrack(job.id, {}, "somebody else")
    queued = engine.submissions.retrack(job.id, {"algorithm": "ocsort"})

    assert [error.field for error in refused.value.errors] == ["track.algorithm"]
    assert queued.state is JobState.QUEUED
    assert queued.pipeline["track"] == {"algorithm": "ocsort"}
    work(replace(cinema.station, open_pipeline=no_model), PACE)
    (item,) = engine.jobs.items(job.id, limit=1).items
    assert item.state is ItemState.DONE
