"""A batch on a server: files uploaded, jobs submitted and watched, results fetched."""

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson

from vision.cli.batch.backend import (
    BadFile,
    EarlierWork,
    FileResult,
    HashedFile,
    JobProgress,
    KnownAsset,
)
from vision.cli.batch.output_folder import OutputFolder
from vision.cli.batch.permanent import PERMANENT_CODES
from vision.cli.batch.server_film import ServerFilm, video_outcome
from vision.cli.batch.server_record import ServerRecord
from vision.cli.batch.stretch import seconds_to_analyze
from vision.cli.client import Client
from vision.cli.files import replacing
from vision.cli.job_progress import video_progress
from vision.cli.problems import CONFLICT, NOT_FOUND, ServerRefused
from vision.domain.media import MediaKind
from vision.domain.provenance import canonical_json
from vision.domain.states import ItemState, JobState
from vision.errors import Conflict

FILE_STATUSES = (400, 413, 415, 422)
"""With these the server refuses the file, not us."""
RECORD = "server.jsonl"


@dataclass(frozen=True, slots=True)
class _Lines:
    """One job's `jsonl` export on disk, and where each asset's line is."""

    path: Path
    offset_by_asset: Mapping[str, int]

    def document(self, asset: str) -> dict[str, Any]:
        with self.path.open("rb") as file:
            file.seek(self.offset_by_asset[asset])
            document: dict[str, Any] = orjson.loads(file.readline())
        return document


class ServerBackend:
    """The server's own ids. Doesn't close the client."""

    def __init__(self, client: Client, pipeline: object, output: OutputFolder) -> None:
        self._client = client
        self.pipeline = pipeline
        self._folder = output.state
        self.pipeline_sha256 = hashlib.sha256(canonical_json(pipeline)).hexdigest()
        self._record = ServerRecord(
            output.state / RECORD, server=client.server, pipeline_sha256=self.pipeline_sha256
        )
        self._exports: dict[str, _Lines] = {}
        self._lock = threading.Lock()

    def earlier_work(self) -> EarlierWork:
        job_of: dict[str, str] = {}
        settled: set[str] = set()
        open_jobs = []
        for job, assets in self._record.assets_by_job.items():
            state = self._state_of(job)
            if state is None:
                self._record.forget_assets(assets)
                continue
            items = self._items(job)
            is_open = not state.is_final
            if state.is_final and self._goes_on(job, items):
                is_open, items = True, self._items(job)
            ended = _settled(items)
            settled.update(ended)
            if is_open:
                open_jobs.append(job)
            job_of.update(dict.fromkeys(assets if is_open else ended, job))
        return EarlierWork(job_of, frozenset(settled), tuple(open_jobs))

    def asset_of(self, file: HashedFile) -> KnownAsset:
        known = self._record.asset_by_sha256.get(file.sha256)
        if known is not None:
            return known
        try:
            asset = self._known(self._client.upload(file.found.path, filename=file.found.name))
        except ServerRefused as error:
            if error.status not in FILE_STATUSES:
                raise
            raise BadFile(error.problem_code, str(error)) from error
        self._record.add_asset(file.sha256, asset)
        return asset

    def submit(self, assets: Sequence[str]) -> str:
        request = {"asset_ids": list(assets), "pipeline": self.pipeline}
        # A run with the same assets left to do is the same request, however often it is sent;
        # after jobs that failed it is another one.
        key = hashlib.sha256(canonical_json([request, list(self._record.assets_by_job)]))
        try:
            job = self._client.post("/jobs", request, idempotency_key=key.hexdigest())
        except ServerRefused as error:
            if error.status != NOT_FOUND:
                raise
            remedy = f"remove {self._folder / RECORD} and run it again"
            raise Conflict(f"{error}: it was deleted on the server; {remedy}") from error
        self._record.add_job(job["id"], assets)
        return str(job["id"])

    def all_submitted(self) -> None:
        """The server works as it likes."""

    def progress(self, job: str) -> JobProgress:
        found = self._client.get(f"/jobs/{job}")
        progress = found["progress"]
        is_final = JobState(found["state"]).is_final
        return JobProgress(progress["done"], is_final, video_progress(progress))

    def result(self, file: HashedFile, *, asset: KnownAsset, job: str) -> FileResult:
        if asset.is_video:
            return self._video(file, job, asset.id)
        document = self._lines_of(job).document(asset.id)
        draw = partial(self._annotated, job, asset.id) if document["error"] is None else None
        return FileResult(file.found.name, file.sha256, document, draw)

    def _video(self, file: HashedFile, job: str, asset: str) -> FileResult:
        outcome = video_outcome(self._client, job, asset)
        film = ServerFilm(self._client, job, asset) if outcome.has_results else None
        return FileResult(file.found.name, file.sha256, outcome.document(), film=film)

    def _known(self, answer: Mapping[str, Any]) -> KnownAsset:
        if answer["kind"] != MediaKind.VIDEO:
            return KnownAsset(answer["id"], is_video=False)
        start = answer.get("start_seconds") or 0.0
        duration = answer["duration_seconds"]
        seconds = seconds_to_analyze(duration, self.pipeline, start_seconds=start)
        return KnownAsset(answer["id"], is_video=True, seconds=seconds)

    def _state_of(self, job: str) -> JobState | None:
        """None when the server doesn't know it any more."""
        try:
            return JobState(self._client.get(f"/jobs/{job}")["state"])
        except ServerRefused as error:
            if error.status != NOT_FOUND:
                raise
            return None

    def _items(self, job: str) -> list[Any]:
        return list(self._client.items(f"/jobs/{job}/items"))

    def _goes_on(self, job: str, items: Iterable[Any]) -> bool:
        """Whether chunks of its videos had been given up, which are tried once more from now on."""
        if all(item["state"] != ItemState.PARTIAL for item in items):
            return False
        try:
            self._client.post(f"/jobs/{job}/retry")
        except ServerRefused as error:
            if error.status != CONFLICT:
                raise
            return False  # damaged files: another try would end the same
        return True

    def _annotated(self, job: str, asset: str) -> bytes:
        picture = BytesIO()
        self._client.download(f"/jobs/{job}/items/{asset}/annotated", {"format": "jpeg"}, picture)
        return picture.getvalue()

    def _lines_of(self, job: str) -> _Lines:
        with self._lock:
            if job not in self._exports:
                self._exports[job] = self._fetched(job)
            return self._exports[job]

    def _fetched(self, job: str) -> _Lines:
        path = self._folder / f"{job}.jsonl"
        with replacing(path) as file:
            self._client.download(f"/jobs/{job}/export", {"format": "jsonl"}, file)
        offsets, offset = {}, 0
        with path.open("rb") as file:
            for line in file:
                offsets[orjson.loads(line)["asset_id"]] = offset
                offset += len(line)
        return _Lines(path, offsets)


def _settled(items: Iterable[Any]) -> list[str]:
    """Assets that need no other try: with results, or with an error of the file itself."""
    return [
        item["asset_id"]
        for item in items
        if item["state"] in (ItemState.DONE, ItemState.PARTIAL)
        or (item["error"] is not None and item["error"]["code"] in PERMANENT_CODES)
    ]
