"""`vision export`: a job's results as a file."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from vision.cli.client import DEFAULT_SERVER, Client, ServerOption
from vision.cli.files import replacing
from vision.cli.output import notes
from vision.errors import InvalidRequest


class Format(StrEnum):
    """The formats a server writes."""

    COCO = "coco"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="File to write; default: standard output.")
]


def export(
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")],
    *,
    form: Annotated[Format, typer.Option("--format", "-f", help="What to write.")],
    out: OutOption = None,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """A job's results as COCO, JSON lines, CSV or Parquet."""
    if out is None and form is Format.PARQUET and sys.stdout.isatty():
        raise InvalidRequest("Parquet is binary: name a file with --out")
    with Client(server) as client:
        if out is None:
            _download(client, job, form=form, file=sys.stdout.buffer)
            return
        with replacing(out) as file:
            _download(client, job, form=form, file=file)
    notes().print(f"wrote {out}")


def _download(client: Client, job: str, *, form: Format, file: BinaryIO) -> None:
    client.download(f"/jobs/{job}/export", {"format": form.value}, file)
    file.flush()
