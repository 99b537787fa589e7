"""Progress bars: how much, rate and time left, on standard error."""

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from vision.cli.output import notes
from vision.domain.job import VideoProgress

SPEED_SECONDS = 60.0
"""The rate, and the time left, look back so far: units of 32 images end in jumps."""
LEAST_RATE = 0.1
VIDEO = "video"
"""Field of a task that counts seconds of video: its VideoProgress."""


class RateColumn(ProgressColumn):
    """Things per second; frames per second for videos."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        video: VideoProgress | None = task.fields.get(VIDEO)
        if speed is None:
            return Text("")
        if video is None:
            # A video is drawn for minutes: its rate would be 0.0.
            return Text(f"{speed:.1f} {self._what}/s" if speed >= LEAST_RATE else "")
        per_second = video.frames_done / video.seconds_done if video.seconds_done else 0.0
        return Text(f"{speed * per_second:.1f} frames/s")


class AmountColumn(MofNCompleteColumn):
    """Done and all; frames for videos."""

    def render(self, task: Task) -> Text:
        video: VideoProgress | None = task.fields.get(VIDEO)
        if video is None:
            is_whole = float(task.completed).is_integer()
            return super().render(task) if is_whole else Text(_parts(task))
        return Text(f"{video.frames_done}/{video.frames_total or '?'} frames")


def _parts(task: Task) -> str:
    """Of things that take long: what is done of the one in work counts too."""
    return f"{task.completed:.2f}/{task.total:g}" if task.total else f"{task.completed:.2f}"


class LeftColumn(TimeRemainingColumn):
    """Time left; nothing for files among which are videos: one may take hours, one a second."""

    def render(self, task: Task) -> Text:
        return Text("") if task.fields.get("is_uneven") else super().render(task)


def progress_bar(what: str) -> Progress:
    """Counts `what`; draws nothing when standard error isn't a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        AmountColumn(),
        RateColumn(what),
        TimeElapsedColumn(),
        TextColumn("left"),
        LeftColumn(),
        console=notes(),
        speed_estimate_period=SPEED_SECONDS,
        # A log file wants lines, not frames of an animation.
        disable=not notes().is_terminal,
    )


class WorkBar:
    """A bar of files, and beneath it one of videos, which moves within a file too.

    The second one counts seconds of video, because how many frames there are is known only of
    videos whose probing is over.
    """

    def __init__(self, description: str, what: str) -> None:
        self._progress = progress_bar(what)
        self._files = self._progress.add_task(description, total=None)
        self._videos: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, done: int, total: int, *, video: VideoProgress | None = None) -> None:
        """`video` is None without videos."""
        is_uneven = video is not None
        self._progress.update(self._files, completed=done, total=total, is_uneven=is_uneven)
        if video is None:
            return
        if self._videos is None:
            self._videos = self._progress.add_task("videos", video=video)
        self._progress.update(
            self._videos, completed=video.seconds_done, total=video.seconds_total, video=video
        )


def summed(videos: Iterable[VideoProgress]) -> VideoProgress | None:
    """Of several jobs together; None of none."""
    each = list(videos)
    if not each:
        return None
    done, total = sum(one.seconds_done for one in each), sum(one.seconds_total for one in each)
    return VideoProgress(
        frames_done=sum(one.frames_done for one in each),
        frames_total=sum(one.frames_total for one in each),
        seconds_done=done,
        seconds_total=total,
        fraction=done / total if total else 0.0,
    )
