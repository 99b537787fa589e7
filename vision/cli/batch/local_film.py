"""A video of a batch on this machine: its line, its detections, and its annotated MP4."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vision.cli.batch.backend import NotDrawn
from vision.cli.batch.video_line import VideoOutcome, frame_detection_json
from vision.cli.batch.whole_lines import class_lines, embedding_line
from vision.domain.job import DEFAULT_TENANT, Item, Job
from vision.domain.states import UnitState
from vision.domain.stored import DetectionFilter, RenderState, TrackFilter
from vision.domain.stored_findings import ClassificationFilter, Embedded, EmbeddingFilter
from vision.engine.parts import Engine
from vision.pipelines.export.findings import media_json, provenance_of, track_json
from vision.pipelines.export.whole_pictures import class_json

ALMOST = 0.999
"""At most this much is said to be drawn until the file is there."""
ENDED_IN_VAIN = (UnitState.FAILED, UnitState.QUARANTINED, UnitState.CANCELLED)
"""In an earlier run: once more."""


class LocalFilm:
    """One video with results, in the batch's own database."""

    def __init__(self, engine: Engine, item: Item) -> None:
        self._engine = engine
        self._item = item
        self._is_asked_for = False

    def detections(self) -> Iterator[Mapping[str, Any]]:
        chosen = DetectionFilter(job_id=self._item.job_id, asset_id=self._item.asset_id)
        found = self._engine.detections.stream(chosen, include_embeddings=True)
        return map(frame_detection_json, found)

    def classifications(self) -> Iterator[Mapping[str, Any]]:
        chosen = ClassificationFilter(self._item.job_id, asset_id=self._item.asset_id)
        return class_lines(self._engine.classifications.stream(chosen))

    def embeddings(self) -> Iterator[Mapping[str, Any]]:
        chosen = EmbeddingFilter(
            self._item.job_id, asset_id=self._item.asset_id, of=frozenset({Embedded.FRAME})
        )
        return map(embedding_line, self._engine.embeddings.stream(chosen))

    def collect(self, path: Path) -> float:
        state = self._state()
        if state.state is UnitState.DONE and state.blob_key is not None:
            self._place(state.blob_key, path)
            return 1.0
        if not state.state.is_open:
            error = state.error
            code = "not_drawn" if error is None else error.code
            raise NotDrawn(code, "it can't be drawn" if error is None else error.detail)
        return min(ALMOST, state.fraction)

    def _state(self) -> RenderState:
        jobs, item = self._engine.jobs, self._item
        known = jobs.render(item.job_id, item.asset_id, DEFAULT_TENANT)
        if not self._is_asked_for and (known is None or known.state in ENDED_IN_VAIN):
            known = jobs.request_render(item.job_id, item.asset_id, DEFAULT_TENANT)
        self._is_asked_for = True
        assert known is not None
        return known

    def _place(self, blob_key: str, path: Path) -> None:
        """A second name of the same bytes where the file system can, so that they're kept once."""
        blob = self._engine.blobs.source(blob_key)
        assert isinstance(blob, Path)
        part = path.with_name(f".{path.name}.part")
        part.unlink(missing_ok=True)
        # A worker's file is for its owner only; this one is like any that the person makes.
        part.touch()
        mode = part.stat().st_mode
        part.unlink()
        try:
            os.link(blob, part)
        except OSError:
            shutil.copyfile(blob, part)
        part.chmod(mode)
        os.replace(part, path)


def video_outcome(engine: Engine, job: Job, item: Item) -> VideoOutcome:
    """What the item says, with its tracks."""
    error, progress = item.error, item.video
    chosen = TrackFilter(job_id=item.job_id, asset_id=item.asset_id)
    return VideoOutcome(
        asset_id=str(item.asset_id),
        state=item.state.value,
        error=None if error is None else {"code": error.code, "detail": error.detail},
        media=media_json(item.facts),
        warnings=item.warnings,
        counts=item.counts,
        classes=None if item.classes is None else [class_json(one) for one in item.classes],
        frames_decoded=None if progress is None else progress.frames_done,
        frames_declared=item.frames_declared,
        tracks=[track_json(one.track) for one in engine.tracks.stream(chosen)],
        track_parameters=item.track_parameters,
        provenance=provenance_of(job, item.provenance_digest),
    )
