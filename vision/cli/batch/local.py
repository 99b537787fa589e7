"""A batch on this machine: the engine's own loop over a SQLite file, without any broker."""

import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from vision.cli.batch.backend import (
    BadFile,
    EarlierWork,
    FileResult,
    HashedFile,
    JobProgress,
    KnownAsset,
)
from vision.cli.batch.drawers import Drawers
from vision.cli.batch.folder_source import FolderSource
from vision.cli.batch.local_film import LocalFilm, video_outcome
from vision.cli.batch.local_state import earlier_work
from vision.cli.batch.output_folder import OutputFolder
from vision.cli.batch.stretch import seconds_to_analyze
from vision.cli.configuration import read_settings
from vision.domain.job import Item, ItemResult, Job, Lease, NewAsset, NewJob
from vision.domain.media import MediaFacts, MediaKind
from vision.domain.stored import DetectionFilter, as_detections
from vision.domain.stored_findings import (
    ClassificationFilter,
    Embedded,
    EmbeddingFilter,
    StoredClassification,
)
from vision.engine.parts import Engine, decode_limits, models_dir, open_engine, pace
from vision.engine.station import Pace, Station
from vision.engine.work_loop import work
from vision.engine.worker_parts import open_station
from vision.errors import BadMedia
from vision.logs import JsonLines
from vision.media.overlay import Overlay
from vision.pipelines.document import PipelineDocument
from vision.pipelines.export.jsonl import item_json
from vision.settings import Settings
from vision.storage.migrate import migrate

OWNER = "batch"
LOOK_AGAIN_SECONDS = 0.1
UNLIMITED = 2**31 - 1
FOREVER = float("inf")
VIDEO_DRAIN_SECONDS = 2.0
"""After Ctrl-C a person waits for the pictures in work, but not for minutes of video."""


@contextmanager
def local_backend(document: PipelineDocument, place: OutputFolder) -> Iterator["LocalBackend"]:
    """With its models loaded; the work ends when the block does.

    Raises OperatorError for models that can't be loaded.
    """
    settings = batch_settings(read_settings(), place)
    _log_to(place.state / "batch.log", settings.log_level)
    folder = FolderSource()
    with open_engine(settings) as engine:
        migrate(engine.database)
        _tidy_up(engine, settings)
        with (
            open_station(engine, settings, owner=f"{OWNER}-{os.getpid()}", blobs=folder) as station,
            Drawers(decode_limits(settings)) as drawers,
        ):
            # Now, so that wrong weights are one sentence and not an error per file.
            station.open_pipeline(document.normal_form)
            yield from _working(LocalBackend(engine, folder, document, drawers), station, settings)


def batch_settings(settings: Settings, place: OutputFolder) -> Settings:
    """The person's own, with everything that a batch keeps in its output folder."""
    state = place.state.absolute()
    return settings.model_copy(
        update={
            "models_dir": models_dir(settings),
            "data_dir": state,
            "database_url": SecretStr(f"sqlite:///{state / 'state.sqlite'}"),
            "blobs_url": None,
        }
    )


class LocalBackend:
    """Assets and jobs in a SQLite file; files are read where they are."""

    def __init__(
        self, engine: Engine, folder: FolderSource, document: PipelineDocument, drawers: Drawers
    ) -> None:
        self.pipeline = document.normal_form
        self.pipeline_sha256 = document.sha256
        self.may_work = threading.Event()
        self._engine = engine
        self._folder = folder
        self._drawers = drawers
        self._ended: Counter[str] = Counter()
        """Items by job: stored before this run, or ended in it."""
        self._waits_for_files = False
        self._jobs: dict[UUID, Job] = {}
        self._working: Future[None] | None = None

    def works_in(self, working: Future[None]) -> None:
        """Whose failure is ours."""
        self._working = working

    def earlier_work(self) -> EarlierWork:
        found = earlier_work(self._engine.jobs, self.pipeline_sha256)
        for job in found.open_jobs:
            progress = self._engine.jobs.get(UUID(job))
            self._ended[job] = progress.items_done + progress.items_failed
        # Their files aren't known before the folder is read: until then each would be missing.
        self._waits_for_files = bool(found.open_jobs)
        return found

    def asset_of(self, file: HashedFile) -> KnownAsset:
        try:
            facts = self._engine.decoder.probe(file.found.path)
        except BadMedia as error:
            raise BadFile(error.code, str(error)) from error
        new = NewAsset(
            sha256=file.sha256,
            facts=facts,
            size_bytes=file.size_bytes,
            filename=file.found.name,
            blob_key=self._folder.add(file),
        )
        return self._known(str(self._engine.assets.add(new)[0].id), facts)

    def submit(self, assets: Sequence[str]) -> str:
        job, _ = self._engine.jobs.submit(
            NewJob(
                asset_ids=tuple(UUID(asset) for asset in assets),
                pipeline=self.pipeline,
                pipeline_sha256=self.pipeline_sha256,
                items_per_unit=1,
            ),
            max_open_units=UNLIMITED,
        )
        if not self._waits_for_files:
            self.may_work.set()
        return str(job.id)

    def all_submitted(self) -> None:
        self.may_work.set()

    def progress(self, job: str) -> JobProgress:
        if self._working is not None and self._working.done():
            self._working.result()
        found = self._engine.jobs.get(UUID(job))
        if found.video is not None:
            ended = found.items_done + found.items_failed
            return JobProgress(ended, found.state.is_final, found.video)
        return JobProgress(min(self._ended[job], found.items_total), found.state.is_final)

    def note(self, lease: Lease, _result: ItemResult) -> None:
        """An image has an outcome: the bar moves before the unit is stored."""
        self._ended[str(lease.job_id)] += 1

    def result(self, file: HashedFile, *, asset: KnownAsset, job: str) -> FileResult:
        item = self._engine.jobs.item(UUID(job), UUID(asset.id))
        return (self._video if asset.is_video else self._picture)(file, item)

    def _picture(self, file: HashedFile, item: Item) -> FileResult:
        chosen = DetectionFilter(job_id=item.job_id, asset_id=item.asset_id)
        rows = tuple(self._engine.detections.stream(chosen, include_embeddings=True))
        document = item_json(
            self._job(item.job_id),
            item,
            (row.detection for row in rows),
            classes=self._classes(item),
            embedding=self._embedding(item),
        )
        if item.error is not None:
            return FileResult(file.found.name, file.sha256, document)
        overlay = Overlay(as_detections(rows))
        draw = partial(self._drawers.draw, file.found.path, overlay)
        return FileResult(file.found.name, file.sha256, document, draw)

    def _classes(self, item: Item) -> Iterator[StoredClassification]:
        chosen = ClassificationFilter(item.job_id, asset_id=item.asset_id)
        return self._engine.classifications.stream(chosen)

    def _embedding(self, item: Item) -> NDArray[np.float32] | None:
        of = frozenset({Embedded.IMAGE})
        chosen = EmbeddingFilter(item.job_id, asset_id=item.asset_id, of=of)
        found = self._engine.embeddings.page(chosen, limit=1).items
        return found[0].vector if found else None

    def _video(self, file: HashedFile, item: Item) -> FileResult:
        outcome = video_outcome(self._engine, self._job(item.job_id), item)
        film = LocalFilm(self._engine, item) if outcome.has_results else None
        return FileResult(file.found.name, file.sha256, outcome.document(), film=film)

    def _known(self, asset: str, facts: MediaFacts) -> KnownAsset:
        if facts.kind is not MediaKind.VIDEO:
            return KnownAsset(asset, is_video=False)
        start = facts.start_seconds or 0.0
        seconds = seconds_to_analyze(facts.duration_seconds, self.pipeline, start_seconds=start)
        return KnownAsset(asset, is_video=True, seconds=seconds)

    def _job(self, job_id: UUID) -> Job:
        if job_id not in self._jobs:
            self._jobs[job_id] = self._engine.jobs.get(job_id)
        return self._jobs[job_id]


def _working(backend: LocalBackend, station: Station, settings: Settings) -> Iterator[LocalBackend]:
    stop = threading.Event()
    # Nobody starts a batch's process again: neither a slow image nor a drain may end it.
    patient = replace(
        pace(settings),
        stall_seconds=FOREVER,
        drain_seconds=FOREVER,
        video_drain_seconds=VIDEO_DRAIN_SECONDS,
    )
    with ThreadPoolExecutor(1, "work") as executor:
        backend.works_in(executor.submit(_work, backend, station, patient, stop))
        try:
            yield backend
        finally:
            stop.set()
            backend.may_work.set()


def _work(backend: LocalBackend, station: Station, patient: Pace, stop: threading.Event) -> None:
    backend.may_work.wait()
    while not stop.is_set():
        work(station, patient, drain=stop.is_set, on_item=backend.note)
        station.units.reap(max_fails=patient.max_fails)
        stop.wait(LOOK_AGAIN_SECONDS)


def _tidy_up(engine: Engine, settings: Settings) -> None:
    """An earlier run that was killed holds nothing: the output folder is ours alone."""
    engine.units.expire_owner(OWNER)
    engine.units.reap(max_fails=settings.max_fails)
    # Videos that it had half drawn.
    engine.blobs.sweep_staging(older_than_seconds=0.0)


def _log_to(path: Path, level: str) -> None:
    handler = logging.FileHandler(path)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
