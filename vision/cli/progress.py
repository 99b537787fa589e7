"""The progress bar: rate and time left, on standard error."""

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from vision.cli.output import notes

SPEED_SECONDS = 60.0
"""The rate, and the time left, look back so far: units of 32 images end in jumps."""


class RateColumn(ProgressColumn):
    """Things per second."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} {self._what}/s")


def progress_bar(what: str) -> Progress:
    """Counts `what`; draws nothing when standard error isn't a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(what),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=notes(),
        speed_estimate_period=SPEED_SECONDS,
        # A log file wants lines, not frames of an animation.
        disable=not notes().is_terminal,
    )
