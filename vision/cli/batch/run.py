"""From a list of files to ended jobs: feed the backend, watch it, stop cleanly on Ctrl-C."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from vision.cli.batch.backend import (
    Backend,
    BadFile,
    EarlierWork,
    FileResult,
    HashedFile,
    JobProgress,
    result_of_bad_file,
)
from vision.cli.batch.folder import FoundFile, sha256_of
from vision.cli.output import notes

FILES_PER_JOB = 256
"""Work begins when so many are known; hashing and uploading goes on meanwhile."""
FEEDERS = 4
WATCH_SECONDS = 0.3

OnProgress = Callable[[int], None]
"""Called with the number of files that have ended."""


@dataclass(slots=True)
class _Ledger:
    """What is known of each file; filled by the feeder, read by the watcher."""

    assets: dict[str, tuple[HashedFile, str]] = field(default_factory=dict)
    """By name: the file and its asset."""
    bad: dict[str, FileResult] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    """Assets."""
    job_of: dict[str, str] = field(default_factory=dict)
    """By asset."""
    jobs: list[str] = field(default_factory=list)
    """Under way in this run, the oldest first."""
    ended: int = 0
    """Files that no job under way counts: bad, settled earlier, or the same content again."""
    reused: int = 0


class BatchRun:
    """One pass over a folder's files."""

    def __init__(self, backend: Backend, files: Sequence[FoundFile]) -> None:
        self._backend = backend
        self._files = files
        self._ledger = _Ledger()
        self._stop = threading.Event()

    def run(self, on_progress: OnProgress) -> None:
        """Until every file has ended. Ctrl-C stops feeding and goes on as KeyboardInterrupt."""
        earlier = self._backend.earlier_work()
        self._ledger.job_of.update(earlier.job_of)
        self._ledger.jobs.extend(earlier.open_jobs)
        with ThreadPoolExecutor(1, "feed") as executor:
            feeding = executor.submit(self._feed, earlier)
            try:
                self._watch(feeding, on_progress)
            except KeyboardInterrupt:
                notes().print("stopping after the pictures in work; Ctrl-C again ends at once")
                raise
            finally:
                self._stop.set()
        feeding.result()

    @property
    def reused(self) -> int:
        """Files that needed no work: settled by an earlier run, or the same content again."""
        return self._ledger.reused

    def results(self) -> Iterator[FileResult]:
        """What came of every file, in the order of their names."""
        for file in self._files:
            if file.name in self._ledger.bad:
                yield self._ledger.bad[file.name]
            else:
                hashed, asset = self._ledger.assets[file.name]
                yield self._backend.result(hashed, asset=asset, job=self._ledger.job_of[asset])

    def _feed(self, earlier: EarlierWork) -> None:
        with ThreadPoolExecutor(FEEDERS, "hash") as executor:
            for files in _chunks(self._files):
                if self._stop.is_set():
                    return
                self._submit(list(executor.map(self._take, files)), earlier)
        self._backend.all_submitted()

    def _take(self, file: FoundFile) -> tuple[HashedFile, str] | FileResult:
        sha256 = None
        try:
            if self._stop.is_set():
                raise BadFile("interrupted", "the batch was interrupted")
            facts = file.path.stat()
            sha256 = sha256_of(file.path)
            hashed = HashedFile(file, sha256, facts.st_size, facts.st_mtime_ns)
            return hashed, self._backend.asset_of(hashed)
        except BadFile as error:
            return result_of_bad_file(file.name, sha256=sha256, code=error.code, detail=str(error))
        except OSError as error:
            detail = f"can't be read: {error.strerror}"
            return result_of_bad_file(file.name, sha256=None, code="unreadable", detail=detail)

    def _submit(
        self, taken: Iterable[tuple[HashedFile, str] | FileResult], earlier: EarlierWork
    ) -> None:
        new: dict[str, None] = {}
        for one in taken:
            if isinstance(one, FileResult):
                self._ledger.bad[one.name] = one
                self._ledger.ended += 1
            else:
                self._enter(*one, new=new, earlier=earlier)
        if new and not self._stop.is_set():
            job = self._backend.submit(tuple(new))
            self._ledger.job_of.update(dict.fromkeys(new, job))
            self._ledger.jobs.append(job)

    def _enter(
        self, file: HashedFile, asset: str, *, new: dict[str, None], earlier: EarlierWork
    ) -> None:
        ledger = self._ledger
        is_first = asset not in ledger.seen
        ledger.seen.add(asset)
        ledger.assets[file.found.name] = file, asset
        if asset in earlier.settled or not is_first:
            ledger.reused += 1
        job = ledger.job_of.get(asset)
        if job is None and is_first:
            new[asset] = None
        elif job not in earlier.open_jobs or not is_first:
            ledger.ended += 1

    def _watch(self, feeding: Future[None], on_progress: OnProgress) -> None:
        ended: dict[str, JobProgress] = {}
        while True:
            is_fed = feeding.done()
            if is_fed:
                feeding.result()
            running = self._look(ended)
            total = sum(progress.ended for progress in ended.values()) + running
            on_progress(min(self._ledger.ended + total, len(self._files)))
            if is_fed and len(ended) == len(self._ledger.jobs):
                return
            time.sleep(WATCH_SECONDS)

    def _look(self, ended: dict[str, JobProgress]) -> int:
        """Adds the jobs that have ended since; the items ended in the others."""
        running = 0
        for job in [job for job in self._ledger.jobs if job not in ended]:
            progress = self._backend.progress(job)
            if progress.is_final:
                ended[job] = progress
                continue
            running += progress.ended
            if not progress.ended:
                # Jobs run oldest first: the ones after this one have not begun either.
                break
        return running


def _chunks(files: Sequence[FoundFile]) -> Iterator[list[FoundFile]]:
    iterator = iter(files)
    while chunk := list(islice(iterator, FILES_PER_JOB)):
        yield chunk
