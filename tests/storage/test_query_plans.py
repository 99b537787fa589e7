"""No statement that runs often reads a whole table: each is explained on both databases."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text
from storage_service import NO_LEASE_SECONDS, PIPELINE, Service, result_of
from video_service import TRACKED, VideoService, digest

from vision.domain.states import JobState, UnitKind
from vision.domain.stored import DetectionFilter, TrackFilter, UnitKey
from vision.domain.stored_findings import ClassificationFilter, EmbeddingFilter
from vision.storage.classifications import ClassificationStore
from vision.storage.database import Database
from vision.storage.embeddings import EmbeddingStore

Statement = tuple[str, Any]

# Tenants are few; a claim looks at each. The other tables grow.
# An index over few rows only, such as of ready units, may be read whole.
WHOLE_TABLE = re.compile(
    r"(SCAN|Seq Scan on) (assets|jobs|items|units|detections|job_counts|provenances"
    r"|tracks|chunk_frames|derived_blobs|embeddings|classifications)\b"
    r"(?! USING (COVERING )?INDEX (units|jobs)_)"
)


def _work(service: Service) -> None:
    """Every transition of a unit."""
    for number in range(5):
        service.job(1, prefix=f"small {number}", priority=1)
    leases = service.claim(seconds=NO_LEASE_SECONDS)
    assert len(leases) == 5
    service.units.heartbeat(leases, lease_seconds=60)
    service.units.commit(result_of(leases[0]))
    service.units.release(service.claim_one())
    service.units.fail(service.claim_one(), "x", "", retryable=True)


def _tick(service: Service) -> None:
    service.claim(seconds=NO_LEASE_SECONDS)
    service.units.reap()
    service.units.finish_stale_jobs()
    service.units.ready_count()
    service.jobs.active_summary()
    service.jobs.finish_erasures()
    service.assets.doomed()


def _submit(service: Service) -> None:
    service.job(3, key="k", tags=("t",))
    service.job(3, key="k")


def _look(service: Service) -> None:
    job = service.jobs.page("default", limit=2).items[0]
    service.jobs.page("default", limit=2, state=JobState.QUEUED)
    service.jobs.page("default", limit=2, tag="t")
    service.jobs.get(job.id)
    asset = service.jobs.items(job.id, limit=2).items[0].asset_id
    service.jobs.item(job.id, asset)
    service.assets.page("default", limit=2, tag="t")
    service.assets.unreferenced(["a", "b"])
    service.detections.counts(job.id)
    service.detections.page(DetectionFilter(job_id=job.id, label="dog"), limit=2)
    service.detections.page(DetectionFilter(asset_id=asset), limit=2)
    service.detections.page(DetectionFilter(tag="t"), limit=100)
    service.detections.page(DetectionFilter(), limit=100)
    service.detections.page(DetectionFilter(job_id=job.id), limit=2, include_embeddings=True)
    embeddings = EmbeddingStore(service.database)
    embeddings.page(EmbeddingFilter(job.id), limit=2)
    embeddings.page(EmbeddingFilter(job.id, asset_id=asset, frame_index=4), limit=2)
    embeddings.page(EmbeddingFilter(job.id, detection_id=1), limit=2)
    names = ClassificationFilter(job.id, asset_id=asset, from_seconds=1.0)
    ClassificationStore(service.database).page(names, limit=2)


def _change(service: Service) -> None:
    first, second, *_ = service.jobs.page("default", limit=3).items
    service.jobs.cancel(first.id)
    asset_id = service.jobs.items(second.id, limit=1).items[0].asset_id
    service.assets.delete(asset_id)
    service.jobs.delete(second.id)


def _video_work(service: Service) -> None:
    """A video from submit to its tracks, with a lost chunk, and once more."""
    videos = VideoService.over(service.database)
    job = videos.video_job(prefix="new")
    first, second, third = videos.probed()
    videos.units.heartbeat([first], lease_seconds=60, frames_done={UnitKey.of(first): 3})
    videos.units.fail(second, "x", "", retryable=False)
    videos.units.release(first)
    videos.units.release(third)
    videos.run()
    videos.jobs.retry(job.id)
    videos.run()
    videos.jobs.retrack(job.id, pipeline=PIPELINE, pipeline_sha256=digest(PIPELINE))
    videos.run()


def _video_look(service: Service) -> None:
    videos = VideoService.over(service.database)
    job = videos.jobs.page("default", limit=1).items[0]
    asset = videos.jobs.items(job.id, limit=2).items[0].asset_id
    videos.jobs.render(job.id, asset)
    videos.detections.at(job.id, asset, at_seconds=1.0)
    videos.detections.bucket_counts(job.id, bucket_seconds=1.0)
    videos.detections.bucket_counts(job.id, bucket_seconds=1.0, asset_id=asset, label="dog")
    for places in ({"from_seconds": 1.0}, {"frame_index": 4}, {"track_id": 1}):
        chosen = DetectionFilter(job_id=job.id, **places)
        first = videos.detections.page(chosen, limit=2)
        videos.detections.page(chosen, limit=2, cursor=first.next)
    page = videos.tracks.page(TrackFilter(job.id), limit=1)
    videos.tracks.page(TrackFilter(job.id, asset_id=asset, label="dog"), limit=1, cursor=page.next)
    videos.tracks.columns(job.id, 0)
    videos.tracks.frame_times(job.id, 0)


def _video_change(service: Service) -> None:
    videos = VideoService.over(service.database)
    first, second = videos.jobs.page("default", limit=2).items
    asset = videos.jobs.items(first.id, limit=1).items[0].asset_id
    videos.jobs.request_render(first.id, asset)
    videos.claim_kind(UnitKind.RENDER)
    videos.assets.delete(asset)
    videos.assets.unreferenced(["a"])
    videos.jobs.delete(second.id)


@pytest.mark.parametrize("act", [_work, _tick, _submit, _look, _change])
def test_no_statement_reads_a_whole_table(service: Service, act: Callable[[Service], None]) -> None:
    service.job(96, tags=("t",), prefix="a")
    service.units.commit(result_of(service.claim_one()))
    service.job(64, tags=("t",), prefix="b")

    with _remembered(service.database) as statements:
        act(service)

    scans = {
        f"{found.group(0)}: {statement}"
        for statement, parameters in statements
        for found in WHOLE_TABLE.finditer(_plan(service.database, statement, parameters))
    }
    assert statements
    assert scans == set()


@contextmanager
def _remembered(database: Database) -> Iterator[list[Statement]]:
    statements: list[Statement] = []

    def remember(_c: Any, _k: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        # What numbers tracks uses a function or a table that only its transaction has.
        reads = statement.lower().startswith(("select", "update", "delete"))
        if reads and "track_number" not in statement:
            statements.append((statement, parameters[0] if many else parameters))

    event.listen(database.engine, "before_cursor_execute", remember)
    yield statements
    event.remove(database.engine, "before_cursor_execute", remember)


@pytest.mark.parametrize("act", [_video_work, _video_look, _video_change])
def test_no_statement_about_videos_reads_a_whole_table(
    videos: VideoService, act: Callable[[Service], None]
) -> None:
    for number in range(2):
        videos.video_job(2, prefix=f"old {number}", pipeline=TRACKED)
        videos.run(chunks=5)

    with _remembered(videos.database) as statements:
        act(videos)

    scans = {
        f"{found.group(0)}: {statement}"
        for statement, parameters in statements
        for found in WHOLE_TABLE.finditer(_plan(videos.database, statement, parameters))
    }
    assert statements
    assert scans == set()


@pytest.mark.parametrize(
    ("places", "index"),
    [
        pytest.param({"track_id": 1}, "detections_of_track", id="track"),
        pytest.param({"from_seconds": 2.0, "to_seconds": 3.0}, "chunk_frames", id="stretch"),
        pytest.param({"frame_index": 17}, "chunk_frames", id="frame"),
    ],
)
def test_places_in_a_video_lead_to_rows_by_an_index_in_order(
    videos: VideoService, places: dict[str, Any], index: str
) -> None:
    job = videos.video_job()
    videos.run(chunks=30)
    if videos.database.is_postgresql:
        with videos.database.begin() as connection:
            connection.execute(text("analyze"))

    with _remembered(videos.database) as statements:
        videos.detections.page(DetectionFilter(job_id=job.id, **places), limit=5)

    plan = _plan(videos.database, *next(one for one in statements if "detections.ord" in one[0]))
    assert index in plan
    whole_sorts = re.findall(r"(?<!Incremental )Sort  |B-TREE FOR ORDER BY", plan)
    assert whole_sorts == []


def _plan(database: Database, statement: str, parameters: Any) -> str:
    prefix = "explain" if database.is_postgresql else "explain query plan"
    with database.read() as connection:
        if database.is_postgresql:
            # A table of a hundred rows is read whole, whatever its indexes are.
            connection.execute(text("set local enable_seqscan = off"))
            connection.execute(text("set local enable_bitmapscan = off"))
            connection.execute(text("set local enable_hashjoin = off"))
        rows = connection.exec_driver_sql(f"{prefix} {statement}", parameters).all()
    return "\n".join(str(row[-1]) for row in rows)
