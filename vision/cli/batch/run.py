"""From a list of files to ended jobs: feed the backend, watch it, stop cleanly on Ctrl-C."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeAlias

from vision.cli.batch.backend import (
    Backend,
    BadFile,
    EarlierWork,
    FileResult,
    HashedFile,
    KnownAsset,
    result_of_bad_file,
)
from vision.cli.batch.folder import FoundFile, sha256_of
from vision.cli.batch.ledger import Ledger
from vision.cli.batch.watch import BatchProgress, Watch

FILES_PER_JOB = 256
"""Work begins when so many are known; hashing and uploading goes on meanwhile."""
FEEDERS = 4
WATCH_SECONDS = 0.3

OnProgress: TypeAlias = Callable[[BatchProgress], None]
_Taken: TypeAlias = tuple[HashedFile, KnownAsset] | FileResult


class BatchRun:
    """One pass over a folder's files."""

    def __init__(self, backend: Backend, files: Sequence[FoundFile]) -> None:
        self._backend = backend
        self._files = files
        self._ledger = Ledger()
        self._watch = Watch(backend, self._ledger, files=len(files))
        self._stop = threading.Event()

    def run(self, on_progress: OnProgress) -> None:
        """Until every file has ended. Ctrl-C stops feeding and goes on as KeyboardInterrupt."""
        earlier = self._backend.earlier_work()
        self._ledger.begin(earlier)
        with ThreadPoolExecutor(1, "feed") as executor:
            feeding = executor.submit(self._feed, earlier)
            try:
                self._look_on(feeding, on_progress)
            finally:
                self._stop.set()
        feeding.result()

    @property
    def reused(self) -> int:
        """Files that needed no work: settled by an earlier run, or the same content again."""
        return self._ledger.reused

    @property
    def videos(self) -> frozenset[str]:
        """Names of the files that are videos."""
        return self._ledger.videos

    @property
    def frames(self) -> int:
        """Frames of video that were analysed in this run."""
        return self._watch.frames

    def results(self) -> Iterator[FileResult]:
        """What came of every file, in the order of their names."""
        for file in self._files:
            if file.name in self._ledger.bad:
                yield self._ledger.bad[file.name]
            else:
                hashed, asset = self._ledger.assets[file.name]
                job = self._ledger.job_of[asset.id]
                yield self._backend.result(hashed, asset=asset, job=job)

    def _feed(self, earlier: EarlierWork) -> None:
        with ThreadPoolExecutor(FEEDERS, "hash") as executor:
            for files in _chunks(self._files):
                if self._stop.is_set():
                    return
                self._submit(list(executor.map(self._take, files)), earlier)
        self._backend.all_submitted()

    def _take(self, file: FoundFile) -> _Taken:
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

    def _submit(self, taken: Iterable[_Taken], earlier: EarlierWork) -> None:
        """Images and videos in jobs of their own: an hour of video holds no picture back."""
        new: dict[str, KnownAsset] = {}
        for one in taken:
            if isinstance(one, FileResult):
                self._ledger.enter_bad(one)
            elif self._ledger.enter(*one, earlier):
                new[one[1].id] = one[1]
        for is_video in (False, True):
            assets = [asset for asset in new.values() if asset.is_video is is_video]
            if assets and not self._stop.is_set():
                job = self._backend.submit([asset.id for asset in assets])
                self._ledger.enter_job(job, assets)

    def _look_on(self, feeding: Future[None], on_progress: OnProgress) -> None:
        while True:
            is_fed = feeding.done()
            if is_fed:
                feeding.result()
            on_progress(self._watch.look())
            if is_fed and self._watch.is_over:
                return
            time.sleep(WATCH_SECONDS)


def _chunks(files: Sequence[FoundFile]) -> Iterator[list[FoundFile]]:
    iterator = iter(files)
    while chunk := list(islice(iterator, FILES_PER_JOB)):
        yield chunk
