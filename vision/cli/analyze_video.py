"""One video through a pipeline: a batch of one file, in a folder that is thrown away."""

# Not a loop of its own: chunks, tracking and drawing are the engine's, so that the answer is the
# same as a batch's or a server's.

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from vision.cli import exits
from vision.cli.asked import Asked
from vision.cli.batch.backend import Backend, FileResult, Film, NotDrawn
from vision.cli.batch.carry_out import analyze_all
from vision.cli.batch.films import LOOK_SECONDS, MP4
from vision.cli.batch.folder import FoundFile, shown
from vision.cli.batch.output_folder import held
from vision.cli.batch.run import BatchRun
from vision.cli.class_names import best_names
from vision.cli.lazy import load
from vision.cli.output import json_text, notes, out, print_bytes, print_table
from vision.cli.progress import progress_bar
from vision.cli.track_table import TRACK_COLUMNS, track_row
from vision.domain.states import ItemState
from vision.errors import CallerError, InvalidRequest

LOCAL_BACKEND = "vision.cli.batch.local:local_backend"
"""By name: it imports torch."""


class NotAnalyzed(CallerError):
    """There is nothing to show of this video; the sentence says why."""

    code = "not_analyzed"


def analyze_video(asked: Asked) -> int:
    """The exit code. Raises NotAnalyzed, and OperatorError for models that can't be loaded."""
    target = asked.target(MP4, is_default=False)
    if target is not None and target.suffix.lower() != MP4:
        raise InvalidRequest(f"annotated videos are MP4 files; {target.name} ends otherwise")
    with (
        TemporaryDirectory(prefix="vision-") as folder,
        held(Path(folder)) as place,
        load(LOCAL_BACKEND)(asked.document, place) as backend,
    ):
        try:
            return _carry_out(backend, asked, target)
        except KeyboardInterrupt:
            # At once: nothing of this is kept, so nothing has to end well.
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(exits.INTERRUPTED)


def _carry_out(backend: Backend, asked: Asked, target: Path | None) -> int:
    run = BatchRun(backend, [FoundFile(asked.file, shown(asked.file.name))])
    analyze_all(run, files=1)
    (result,) = run.results()
    document, film = result.document, result.film
    if film is None:
        raise NotAnalyzed(_reason(document))
    if target is not None:
        _draw(film, target)
    if asked.as_json:
        _print_json(result, film)
    else:
        _print(document, target)
    return exits.PARTIAL if document["state"] == ItemState.PARTIAL else exits.DONE


def _reason(document: Mapping[str, Any]) -> str:
    error = document["error"]
    return "it has no results" if error is None else str(error["detail"])


def _draw(film: Film, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with progress_bar("videos") as bar:
        task = bar.add_task("drawing", total=1)
        try:
            while (fraction := film.collect(path)) < 1.0:
                bar.update(task, completed=fraction)
                time.sleep(LOOK_SECONDS)
        except NotDrawn as error:
            raise NotAnalyzed(f"not drawn: {error}") from error
        bar.update(task, completed=1)


def _print_json(result: FileResult, film: Film) -> None:
    """One document; its lists are written as they are read."""
    shown_names = {name: value for name, value in result.document.items() if name != "detections"}
    head = json_text({"filename": result.name, "sha256": result.sha256, **shown_names})
    print_bytes(head.removesuffix(b"\n}\n"))
    _print_list("items", film.detections())
    _print_list("classifications", film.classifications())
    _print_list("embeddings", film.embeddings())
    print_bytes(b"\n}\n")


def _print_list(name: str, things: Iterable[Mapping[str, Any]]) -> None:
    separator = b"\n    "
    print_bytes(f',\n  "{name}": ['.encode())
    for thing in things:
        sys.stdout.buffer.write(separator + orjson.dumps(thing))
        separator = b",\n    "
    print_bytes(b"\n  ]")


def _print(document: Mapping[str, Any], target: Path | None) -> None:
    counts: Mapping[str, int] = document["counts"]
    if document["tracks"]:
        print_table(TRACK_COLUMNS, [track_row(track) for track in document["tracks"]])
    else:
        print_table(("label", "detections"), list(counts.items()))
    console = out()
    found = ", ".join(f"{count} {label}" for label, count in counts.items()) or "nothing"
    console.print(f"found: {found} in {_frames(document)}", markup=False)
    if document["classes"]:
        console.print(f"shows: {best_names(document['classes'])}", markup=False)
    if target is not None:
        console.print(f"video: {target}", markup=False)
    for warning in document["warnings"]:
        notes().print(f"warning: {warning}", markup=False)


def _frames(document: Mapping[str, Any]) -> str:
    done, declared = document["frames_decoded"], document["frames_declared"]
    if document["state"] == ItemState.PARTIAL:
        return f"{done} of {declared} frames; the rest has no results"
    return f"{done} frames"
