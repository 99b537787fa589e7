"""`results.jsonl`: one line per file, in the order of their names; videos have a file each too."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from vision.cli.batch.backend import FileResult
from vision.cli.batch.output_folder import OutputFolder
from vision.cli.files import replacing


def write_results(
    results: Iterable[FileResult], output: OutputFolder, *, each: Callable[[FileResult], None]
) -> None:
    """`each` sees every result as it passes."""
    with replacing(output.results) as file:
        for result in results:
            line = {
                **result.document,
                **_own_file(result, output),
                "filename": result.name,
                "sha256": result.sha256,
            }
            _write_line(file, line)
            each(result)


def _own_file(result: FileResult, output: OutputFolder) -> Mapping[str, Any]:
    path = _detections_path(output.detections, result.name)
    if result.film is not None:
        with replacing(path) as file:
            for found in result.film.detections():
                _write_line(file, found)
        return {"detections_file": path.relative_to(output.path).as_posix()}
    # What an earlier run wrote of a file of this name is no longer so.
    path.unlink(missing_ok=True)
    return {"detections_file": None} if result.document["detections"] is None else {}


def _write_line(file: BinaryIO, line: Mapping[str, Any]) -> None:
    file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _detections_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.detections.jsonl"
