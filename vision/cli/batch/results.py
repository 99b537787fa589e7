"""`results.jsonl`: one line per file, in the order of their names."""

from collections.abc import Callable, Iterable
from pathlib import Path

import orjson

from vision.cli.batch.backend import FileResult
from vision.cli.files import replacing


def write_results(
    results: Iterable[FileResult], path: Path, *, each: Callable[[FileResult], None]
) -> None:
    """`each` sees every result as it passes."""
    with replacing(path) as file:
        for result in results:
            line = {**result.document, "filename": result.name, "sha256": result.sha256}
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            each(result)
