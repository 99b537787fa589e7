"""The annotated pictures of a batch: drawn a few at a time, each drawn once."""

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

import orjson

from vision.cli.batch.backend import FileResult
from vision.cli.batch.output_folder import OutputFolder
from vision.cli.files import replacing
from vision.errors import VisionError

DRAWERS = 4
QUEUED = 16
"""Pictures waiting to be drawn: each holds its masks in memory."""
RECORD = "drawn.jsonl"


class Pictures:
    """A context manager; leaving it waits for the last pictures."""

    def __init__(self, output: OutputFolder, names: Iterable[str], *, pipeline_sha256: str) -> None:
        self.drawn = 0
        self.errors: list[dict[str, str]] = []
        self._folder = output.pictures
        self._names = picture_names(names)
        self._pipeline_sha256 = pipeline_sha256
        self._record_path = output.state / RECORD
        self._record = _read_record(self._record_path)
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
        name = self._names[result.name]
        if self._record.get(name) == self._mark(result) and (self._folder / name).is_file():
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
        with self._record_path.open("ab") as record:
            line = {"picture": name, "mark": self._mark(result)}
            record.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self.drawn += 1

    def _mark(self, result: FileResult) -> str:
        return f"{result.sha256} {self._pipeline_sha256}"


def picture_names(names: Iterable[str]) -> Mapping[str, str]:
    """`a/b.png` becomes `a/b.jpg`; where that meets another one, `a/b.png.jpg`.

    No two are equal, not even on a file system that doesn't tell A from a.
    """
    names = tuple(names)
    short = {name: PurePosixPath(name).with_suffix(".jpg").as_posix() for name in names}
    wanted = Counter(name.casefold() for name in short.values())
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        picture = short[name] if wanted[short[name].casefold()] == 1 else f"{name}.jpg"
        chosen[name] = _free(picture, taken)
        taken.add(chosen[name].casefold())
    return chosen


def _free(picture: str, taken: set[str]) -> str:
    stem, number = picture.removesuffix(".jpg"), 2
    while picture.casefold() in taken:
        picture, number = f"{stem}-{number}.jpg", number + 1
    return picture


def _read_record(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    record = {}
    for line in path.read_bytes().splitlines():
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue  # the last line of a killed process: its picture is drawn again
        record[entry["picture"]] = entry["mark"]
    return record
