"""How far a batch is: its jobs, asked one after the other, summed up."""

from dataclasses import dataclass, replace

from vision.cli.batch.backend import Backend, JobProgress
from vision.cli.batch.ledger import Ledger
from vision.cli.progress import summed
from vision.domain.job import VideoProgress


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far all files are."""

    ended: int
    """Files with results or with an error."""
    video: VideoProgress | None
    """Of the jobs of this run; None while there is no video."""


class Watch:
    """Asks only jobs that may have moved."""

    def __init__(self, backend: Backend, ledger: Ledger, *, files: int) -> None:
        self._backend = backend
        self._ledger = ledger
        self._files = files
        self._last: dict[str, JobProgress] = {}
        self._frames_before: dict[str, int] = {}

    def look(self) -> BatchProgress:
        for job in self._open():
            progress = self._backend.progress(job)
            self._last[job] = progress
            frames = 0 if progress.video is None else progress.video.frames_done
            self._frames_before.setdefault(job, frames)
            if not progress.has_begun and not progress.is_final:
                # Jobs run oldest first: the ones after this one have not begun either.
                break
        ended = self._ledger.ended + sum(one.ended for one in self._last.values())
        return BatchProgress(min(ended, self._files), self._video())

    @property
    def is_over(self) -> bool:
        """Every job has ended."""
        return not self._open()

    @property
    def frames(self) -> int:
        """Analysed since the first look."""
        videos = {job: one.video for job, one in self._last.items() if one.video is not None}
        return sum(video.frames_done - self._frames_before[job] for job, video in videos.items())

    def _open(self) -> list[str]:
        last = self._last
        return [job for job in self._ledger.jobs if job not in last or not last[job].is_final]

    def _video(self) -> VideoProgress | None:
        known = {job: one for job, one in self._last.items() if one.video is not None}
        waiting = [
            _awaited(seconds)
            for job, seconds in self._ledger.seconds.copy().items()
            if seconds and job not in known
        ]
        return summed([*(self._expected(job, one) for job, one in known.items()), *waiting])

    def _expected(self, job: str, progress: JobProgress) -> VideoProgress:
        """With what the headers say of videos that nobody has read yet: an honest time left."""
        video = progress.video
        assert video is not None
        if progress.is_final:
            return replace(video, seconds_done=video.seconds_total)
        expected = self._ledger.seconds.get(job, 0.0)
        return replace(video, seconds_total=max(video.seconds_total, expected))


def _awaited(seconds: float) -> VideoProgress:
    return VideoProgress(0, 0, 0.0, seconds, 0.0)
