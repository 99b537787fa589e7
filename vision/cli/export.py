"""`vision export`: a job's results as a file."""

import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from vision.cli.client import DEFAULT_SERVER, Client, ServerOption
from vision.cli.files import replacing
from vision.cli.output import notes
from vision.cli.result_list import JobArgument
from vision.errors import InvalidRequest

TEXT_FORMATS = frozenset(("classes", "coco", "csv", "jsonl"))
"""What a terminal may be shown. Which formats there are is the server's to say."""

OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="File to write; default: standard output.")
]


def export(
    job: JobArgument,
    *,
    form: Annotated[
        str,
        typer.Option("--format", "-f", help="coco, jsonl, csv, parquet, classes, embeddings, …"),
    ],
    out: OutOption = None,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """A job's results as a file: coco, jsonl, csv, parquet, embeddings, mot, cvat, yolo, …"""
    if out is None and form not in TEXT_FORMATS and sys.stdout.isatty():
        raise InvalidRequest(f"{form} is no text for a terminal: name a file with --out")
    with Client(server) as client:
        if out is None:
            _download(client, job, form=form, file=sys.stdout.buffer)
            return
        with replacing(out) as file:
            _download(client, job, form=form, file=file)
    notes().print(f"wrote {out}")


def _download(client: Client, job: str, *, form: str, file: BinaryIO) -> None:
    client.download(f"/jobs/{job}/export", {"format": form}, file)
    file.flush()
