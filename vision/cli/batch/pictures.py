"""The annotated pictures of a batch: drawn a few at a time, each drawn once."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from vision.cli.batch.annotated_names import annotated_names
from vision.cli.batch.backend import FileResult
from vision.cli.batch.drawn_record import DrawnRecord
from vision.cli.files import replacing
from vision.errors import VisionError

DRAWERS = 4
QUEUED = 16
"""Pictures waiting to be drawn: each holds its masks in memory."""


class Pictures:
    """A context manager; leaving it waits for the last pictures."""

    def __init__(self, folder: Path, names: Iterable[str], record: DrawnRecord) -> None:
        self.drawn = 0
        self.errors: list[dict[str, str]] = []
        self._folder = folder
        self._names = annotated_names(names, ".jpg")
        self._record = record
        self._executor = ThreadPoolExecutor(DRAWERS, "draw")
        self._waiting: list[tuple[FileResult, Future[bytes]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._finish(leave=0)
        self._executor.shutdown(cancel_futures=True)

    def add(self, result: FileResult) -> None:
        """Draws it, unless the same picture was drawn before."""
        if result.draw is None:
            return
        if self._record.holds(self._names[result.name], result):
            self.drawn += 1
            return
        self._waiting.append((result, self._executor.submit(result.draw)))
        self._finish(leave=QUEUED)

    def _finish(self, *, leave: int) -> None:
        while len(self._waiting) > leave:
            result, drawing = self._waiting.pop(0)
            try:
                picture = drawing.result()
            except VisionError as error:
                self.errors.append({"file": result.name, "code": error.code, "detail": str(error)})
                continue
            self._keep(result, picture)

    def _keep(self, result: FileResult, picture: bytes) -> None:
        name = self._names[result.name]
        with replacing(self._folder / name) as file:
            file.write(picture)
        self._record.add(name, result)
        self.drawn += 1
