"""`results.jsonl`: one line per file, in the order of their names; videos have own files too."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from vision.cli.batch.backend import FileResult
from vision.cli.batch.output_folder import OutputFolder
from vision.cli.files import replacing

DETECTIONS, CLASSIFICATIONS, EMBEDDINGS = "detections", "classifications", "embeddings"
KINDS = (DETECTIONS, CLASSIFICATIONS, EMBEDDINGS)
"""Of files of lines: a folder each, in which a video's file has its own name."""


def write_results(
    results: Iterable[FileResult], output: OutputFolder, *, each: Callable[[FileResult], None]
) -> None:
    """`each` sees every result as it passes."""
    with replacing(output.results) as file:
        for result in results:
            line = {
                **result.document,
                **_own_files(result, output),
                "filename": result.name,
                "sha256": result.sha256,
            }
            _write_line(file, line)
            each(result)


def _own_files(result: FileResult, output: OutputFolder) -> Mapping[str, Any]:
    """Where what is too long for a line went; null for what there is none of."""
    if result.film is None:
        for kind in KINDS:
            # What an earlier run wrote of a file of this name is no longer so.
            _path(output, kind, result.name).unlink(missing_ok=True)
        is_video = result.document["detections"] is None
        return {f"{kind}_file": None for kind in KINDS} if is_video else {}
    written = {
        DETECTIONS: result.film.detections(),
        CLASSIFICATIONS: result.film.classifications(),
        EMBEDDINGS: result.film.embeddings(),
    }
    return {
        f"{kind}_file": _written(output, _path(output, kind, result.name), lines, kind=kind)
        for kind, lines in written.items()
    }


def _written(
    output: OutputFolder, path: Path, lines: Iterator[Mapping[str, Any]], *, kind: str
) -> str | None:
    """An empty file of detections says that nothing was found; the others are then not there."""
    first = next(lines, None)
    if first is None and kind != DETECTIONS:
        path.unlink(missing_ok=True)
        return None
    with replacing(path) as file:
        for line in chain(() if first is None else (first,), lines):
            _write_line(file, line)
    return path.relative_to(output.path).as_posix()


def _write_line(file: BinaryIO, line: Mapping[str, Any]) -> None:
    file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _path(output: OutputFolder, kind: str, name: str) -> Path:
    return output.path / kind / f"{name}.{kind}.jsonl"
