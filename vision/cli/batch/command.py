"""`vision batch`: a whole folder, here or on a server."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from vision.cli import exits
from vision.cli.batch.backend import Backend
from vision.cli.batch.carry_out import BatchOrder, BatchOutcome, carry_out
from vision.cli.batch.folder import FolderContent, look_into
from vision.cli.batch.output_folder import OutputFolder, held
from vision.cli.batch.server import ServerBackend
from vision.cli.batch.summary import Drawn
from vision.cli.client import Client, JsonOption
from vision.cli.configuration import read_settings
from vision.cli.lazy import load
from vision.cli.output import counted, notes, out, print_json
from vision.cli.pipeline import PipelineOption, pipeline_from, runnable_here
from vision.errors import CallerError

LOCAL_BACKEND = "vision.cli.batch.local:local_backend"
"""By name, because it needs torch and the client of a server doesn't."""
MAX_ERRORS_SHOWN = 20
MAX_LABELS_SHOWN = 8


class NothingToDo(CallerError):
    """The folder has no picture and no video."""

    code = "nothing_to_do"


def batch(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Or one file.")],
    *,
    pipeline: PipelineOption,
    output: Annotated[Path, typer.Option("--out", "-o", help="Where everything goes.")],
    server: Annotated[
        str | None, typer.Option(help="Let this server do the work; default: this machine.")
    ] = None,
    annotate: Annotated[bool, typer.Option("--annotate", help="Draw what was found.")] = False,
    recursive: Annotated[bool, typer.Option("--recursive", help="Subfolders too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Every picture and video in a folder; interrupted, the same command goes on where it was.

    Ends with 0 when every file has all its results, 3 when some have an error instead or only a
    part of their frames, 1 when all have an error.
    """
    asked = pipeline_from(pipeline)
    if server is None:
        asked = runnable_here(asked, read_settings())
    content = _content(folder, recursive=recursive, leave_out=output)
    with held(output) as place:
        order = BatchOrder(folder, content, place, annotate)
        try:
            with _backend(asked, place, server=server) as backend:
                outcome = _carried_out(order, backend)
        except KeyboardInterrupt:
            _end_interrupted(output)
    if as_json:
        print_json(outcome.summary)
    else:
        _report(outcome, order)
    raise typer.Exit(outcome.tally.exit_code)


def _carried_out(order: BatchOrder, backend: Backend) -> BatchOutcome:
    try:
        return carry_out(order, backend)
    except KeyboardInterrupt:
        notes().print("stopping after what is in work; Ctrl-C again ends at once")
        raise


def _content(folder: Path, *, recursive: bool, leave_out: Path) -> FolderContent:
    content = look_into(folder, recursive=recursive, leave_out=leave_out)
    if not content.found:
        skipped = sum(content.skipped.values())
        hint = "" if recursive else "; --recursive looks into subfolders too"
        raise NothingToDo(f"no picture or video in {folder} ({skipped} other files){hint}")
    return content


@contextmanager
def _backend(asked: object, place: OutputFolder, *, server: str | None) -> Iterator[Backend]:
    if server is None:
        with load(LOCAL_BACKEND)(asked, place) as backend:
            yield backend
        return
    with Client(server) as client:
        yield ServerBackend(client, asked, place)


def _report(outcome: BatchOutcome, order: BatchOrder) -> None:
    tally, facts = outcome.tally, outcome.facts
    _say(f"{tally.done} of {tally.files} files done; {facts.reused} needed no work in this run")
    found = tally.labels.most_common(MAX_LABELS_SHOWN)
    _say(f"{tally.detections} detections: {_listed(found)}")
    if tally.videos:
        frames, tracks = counted(tally.frames, "frame"), counted(tally.tracks, "track")
        _say(f"{counted(tally.videos, 'video')}: {frames}, {tracks}")
    if facts.skipped:
        _say(f"skipped, neither pictures nor videos: {_listed(facts.skipped.items())}")
    _complain(tally.errors)
    _complain([one | {"code": "partial"} for one in tally.partial])
    _complain(facts.drawn.errors, "not drawn: ")
    _say(f"results in {order.place.results}, summary in {order.place.summary}")
    if order.annotate:
        _say(f"annotated in {order.place.annotated}: {_annotated(facts.drawn)}")


def _annotated(made: Drawn) -> str:
    """Videos only where there are some."""
    pictures = counted(made.pictures, "picture")
    return f"{pictures}, {counted(made.videos, 'video')}" if made.videos else pictures


def _end_interrupted(output: Path) -> NoReturn:
    notes().print(f"interrupted; run the same command again to go on in {output}")
    # At once, also on a second Ctrl-C while a slow network is still at work: what
    # was done is stored, and waiting for threads would be all that is left to do.
    os._exit(exits.INTERRUPTED)


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts) or "none"


def _complain(errors: Iterable[Mapping[str, Any]], prefix: str = "") -> None:
    errors = list(errors)
    for error in errors[:MAX_ERRORS_SHOWN]:
        line = f"{error['file']}: {prefix}{error['detail']} ({error['code']})"
        notes().print(line, markup=False)
    if len(errors) > MAX_ERRORS_SHOWN:
        notes().print(f"… and {len(errors) - MAX_ERRORS_SHOWN} more, all in summary.json")


def _say(sentence: str) -> None:
    out().print(sentence, markup=False)
