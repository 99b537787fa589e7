"""The annotated videos of a batch: asked for a few at a time, each drawn once."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from vision.cli.batch.annotated_names import annotated_names
from vision.cli.batch.backend import FileResult, Film, NotDrawn
from vision.cli.batch.drawn_record import DrawnRecord
from vision.errors import VisionError

ASKED_AT_ONCE = 16
"""A server's workers draw several at the same time; more would only wait in its queue."""
LOOK_SECONDS = 0.5
MP4 = ".mp4"


class Films:
    """First `add` each, then `draw` all."""

    def __init__(self, folder: Path, names: Iterable[str], record: DrawnRecord) -> None:
        self.drawn = 0
        self.errors: list[dict[str, str]] = []
        self._folder = folder
        self._names = annotated_names(names, MP4)
        self._record = record
        self._waiting: list[tuple[FileResult, Film]] = []
        self._fractions: dict[str, float] = {}

    def add(self, result: FileResult) -> None:
        """Nothing is drawn yet."""
        if result.film is None:
            return
        if self._record.holds(self._names[result.name], result):
            self.drawn += 1
        else:
            # Without its tracks: thousands of videos may wait.
            self._waiting.append((replace(result, document={}), result.film))

    def __len__(self) -> int:
        """How many `draw` will draw."""
        return len(self._waiting)

    def draw(self, on_progress: Callable[[float], None]) -> None:
        """Until each is there or named as an error; tells how many are done, parts included."""
        while self._waiting:
            for result, film in self._waiting[:ASKED_AT_ONCE]:
                self._look(result, film)
            ended = [one for one in self._waiting if self._fractions.get(one[0].name, 0.0) >= 1.0]
            self._waiting = [one for one in self._waiting if one not in ended]
            on_progress(sum(self._fractions.values()))
            if self._waiting and not ended:
                time.sleep(LOOK_SECONDS)

    def _look(self, result: FileResult, film: Film) -> None:
        name = self._names[result.name]
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fraction = film.collect(path)
        except (VisionError, NotDrawn) as error:
            self.errors.append({"file": result.name, "code": error.code, "detail": str(error)})
            fraction = 1.0
        else:
            if fraction >= 1.0:
                self._record.add(name, result)
                self.drawn += 1
        self._fractions[result.name] = fraction
