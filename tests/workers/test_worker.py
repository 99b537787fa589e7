"""A real Celery worker with a real Redis, from bell to stored results."""

import time
from pathlib import Path
from uuid import UUID

from processes import REAL_WORKER, running_service, wait_for_line
from workshop import colour_job, found_numbers, settings_for, wait_for_end

from vision.domain.states import JobState, UnitState
from vision.domain.stored import DetectionFilter, RenderState, TrackFilter
from vision.engine.parts import Engine, open_engine
from vision.engine.submit import JobRequest
from vision.settings import Settings
from workers.queue import Bell

FILM = Path(__file__).parents[2] / "samples/videos/yard-crossing.mp4"
YARD = Path(__file__).parents[2] / "samples/images/yard-1.jpg"
DETECT_AND_SEGMENT = {
    "detect": {"model": "demo_maskrcnn"},
    "segment": {"model": "demo_sam", "prompt": "boxes"},
}


def test_a_rung_bell_sets_a_worker_going(settings: Settings) -> None:
    with open_engine(settings) as engine, running_service(settings, tick=False):
        job = colour_job(engine, 40)

        with Bell(settings.broker_url.get_secret_value()) as bell:
            bell.ring()

        assert wait_for_end(engine, job.id).state is JobState.SUCCEEDED
        assert found_numbers(engine, job.id) == list(range(40))


def test_without_any_bell_the_tick_finds_the_work(settings: Settings) -> None:
    with open_engine(settings) as engine, running_service(settings):
        job = colour_job(engine, 3)

        assert wait_for_end(engine, job.id).state is JobState.SUCCEEDED


def test_photographs_become_stored_masks_by_the_shipped_models(settings: Settings) -> None:
    with open_engine(settings) as engine, running_service(settings, worker=REAL_WORKER):
        yard, _ = engine.ingest.add_file(YARD)
        job, _ = engine.submissions.submit(JobRequest((yard.id,), DETECT_AND_SEGMENT))

        ended = wait_for_end(engine, job.id)

        found = list(engine.detections.stream(DetectionFilter(job_id=job.id)))
        assert ended.state is JobState.SUCCEEDED
        assert len(found) >= 3
        assert all(row.mask is not None and row.score is not None for row in found)
        (provenance,) = ended.provenances
        assert [stage["model"] for stage in provenance["stages"]] == [  # type: ignore[attr-defined]
            "demo_maskrcnn",
            "demo_sam",
        ]


def test_a_film_is_detected_followed_and_drawn_by_the_shipped_model(settings: Settings) -> None:
    document = {
        "sample": {"max_fps": 5, "end_seconds": 4},
        "detect": {"model": "demo_maskrcnn"},
        "track": {"algorithm": "bytetrack"},
    }
    with open_engine(settings) as engine, running_service(settings, worker=REAL_WORKER):
        film, _ = engine.ingest.add_file(FILM)
        job, _ = engine.submissions.submit(JobRequest((film.id,), document))
        ended = wait_for_end(engine, job.id)
        engine.jobs.request_render(job.id, film.id)

        render = wait_for_drawing(engine, job.id, film.id)

        assert ended.state is JobState.SUCCEEDED
        assert ended.video is not None
        assert ended.video.frames_done == 20
        tracks = engine.tracks.page(TrackFilter(job_id=job.id), limit=50).items
        assert {row.track.label for row in tracks} >= {"barrel", "cone", "person"}
        assert render.state is UnitState.DONE
        assert render.blob_key is not None
        assert engine.blobs.size(render.blob_key) == render.size_bytes


def wait_for_drawing(engine: Engine, job_id: UUID, asset_id: UUID) -> RenderState:
    deadline = time.monotonic() + 60
    while True:
        render = engine.jobs.render(job_id, asset_id)
        assert render is not None
        if not render.state.is_open:
            return render
        assert time.monotonic() < deadline, "the video isn't drawn"
        time.sleep(0.05)


def test_a_missing_device_is_said_and_the_job_waits(
    tmp_path: Path, sqlite_url: str, short_folder: Path
) -> None:
    settings = settings_for(
        tmp_path / "data",
        sqlite_url,
        broker_url=f"redis+socket://{short_folder}/redis.sock",
        device="cuda:99",
        tick_seconds=0.5,
    )
    with (
        open_engine(settings) as engine,
        running_service(settings, worker=REAL_WORKER, ready='"worker not ready"') as service,
    ):
        yard, _ = engine.ingest.add_file(YARD)
        job, _ = engine.submissions.submit(JobRequest((yard.id,), DETECT_AND_SEGMENT))

        wait_for_line(service.worker, '"work interrupted"')

        assert "cuda:99" in service.worker.text()
        assert engine.jobs.get(job.id).state is JobState.QUEUED
