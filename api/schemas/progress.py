"""How far a job, or one of its videos, is."""

from typing import Self

from pydantic import Field

from api.schemas.base import Answer
from vision.domain.job import Job, VideoProgress


class VideoProgressAnswer(Answer):
    """How far one video is."""

    fraction: float
    frames_done: int = Field(description="Analysed.")
    frames_total: int = Field(description="To analyse; 0 until the video has been looked through.")
    seconds_done: float = Field(description="Of video.")
    seconds_total: float

    @classmethod
    def of(cls, video: VideoProgress | None) -> Self | None:
        if video is None:
            return None
        return cls(
            fraction=video.fraction,
            frames_done=video.frames_done,
            frames_total=video.frames_total,
            seconds_done=video.seconds_done,
            seconds_total=video.seconds_total,
        )


class Progress(Answer):
    """How far a job is. Frames and seconds are null for a job without videos."""

    done: int = Field(description="Items that ended, with results or with an error.")
    total: int
    fraction: float = Field(description="0 to 1; moves inside of a video too.")
    eta_seconds: float | None = Field(
        description="Time left at the pace until now; null while there is none to go by."
    )
    frames_done: int | None = Field(description="Analysed frames of the job's videos.")
    frames_total: int | None = Field(description="Grows while videos are looked through.")
    seconds_done: float | None = Field(description="Of video.")
    seconds_total: float | None

    @classmethod
    def of(cls, job: Job, *, now: float) -> Self:
        """`now` in seconds since 1970: for the time left."""
        ended = job.items_done + job.items_failed
        fraction, video = _fraction(job, ended), job.video
        return cls(
            done=ended,
            total=job.items_total,
            fraction=fraction,
            eta_seconds=_eta_seconds(job, fraction, now=now),
            frames_done=None if video is None else video.frames_done,
            frames_total=None if video is None else video.frames_total,
            seconds_done=None if video is None else video.seconds_done,
            seconds_total=None if video is None else video.seconds_total,
        )


def _fraction(job: Job, ended: int) -> float:
    if ended == job.items_total:
        return 1.0
    return ended / job.items_total if job.video is None else job.video.fraction


def _eta_seconds(job: Job, fraction: float, *, now: float) -> float | None:
    if job.state.is_final:
        return 0.0
    # At 1 something is left that has no measure. In a later run part of the work was done before,
    # and `started_at` is the first run's: there is no pace to go by.
    if job.started_at is None or not 0 < fraction < 1 or job.run > 1:
        return None
    elapsed = max(0.0, now - job.started_at)
    return round(elapsed / fraction * (1 - fraction), 3)
