"""What FFmpeg only writes to its log: that it had to look for the way again in a Matroska file.

Other containers have a table, a count or counters of their own by which gaps are found.
"""

from types import TracebackType
from typing import Final, Self

from av import logging

from vision.media.video.source import ReadingTrouble

_SPEAKER: Final = "matroska"


class Complaints:
    """Listens while the `with` block lasts; only to what is said on this thread."""

    def __init__(self) -> None:
        self._capture = logging.Capture(local=True)
        self._heard: list[tuple[int, str, str]] = []

    def __enter__(self) -> Self:
        logging.set_level(logging.ERROR)
        # The same words about the same file are said again when it is read again.
        logging.set_skip_repeated(False)
        self._heard = self._capture.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._capture.__exit__(None, None, None)
        logging.set_level(None)

    def pass_on(self, trouble: ReadingTrouble) -> None:
        """To be called often: what was heard is forgotten then."""
        if not self._heard:
            return
        if any(speaker.startswith(_SPEAKER) for _, speaker, _ in self._heard):
            trouble.note("a part of the file is unreadable and was passed over")
        self._heard.clear()
