"""What a batch has drawn, and from what: so that nothing is drawn twice."""

from pathlib import Path

import orjson

from vision.cli.batch.backend import FileResult
from vision.cli.batch.output_folder import OutputFolder

RECORD = "drawn.jsonl"


class DrawnRecord:
    """Lines appended to a file. For one pipeline."""

    def __init__(self, output: OutputFolder, *, pipeline_sha256: str) -> None:
        self._path = output.state / RECORD
        self._folder = output.annotated
        self._pipeline_sha256 = pipeline_sha256
        self._marks = _read(self._path)

    def holds(self, name: str, result: FileResult) -> bool:
        """Whether `name` is there and shows just this."""
        is_same = self._marks.get(name) == self._mark(result)
        return is_same and (self._folder / name).is_file()

    def add(self, name: str, result: FileResult) -> None:
        """It is there by now."""
        self._marks[name] = self._mark(result)
        line = {"picture": name, "mark": self._marks[name]}
        with self._path.open("ab") as record:
            record.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _mark(self, result: FileResult) -> str:
        return f"{result.sha256} {self._pipeline_sha256}"


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    marks = {}
    for line in path.read_bytes().splitlines():
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue  # the last line of a killed process: its picture is drawn again
        marks[entry["picture"]] = entry["mark"]
    return marks
