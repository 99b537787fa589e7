"""`vision models add`: the user's own fine-tuned weights become a model of their own."""

from pathlib import Path
from typing import Annotated

import typer

from vision.cli.configuration import read_settings
from vision.cli.output import out
from vision.engine.parts import models_dir
from vision.models.adding import add_model, read_labels


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name of your own.")],
    *,
    like: Annotated[str, typer.Option(help="The listed model whose network they fit.")],
    file: Annotated[
        Path,
        typer.Option(
            metavar="FILE_OR_FOLDER", help="Your weights; a folder where the listed model has one."
        ),
    ],
    labels: Annotated[
        str | None,
        typer.Option(
            help="A text file with one label a line, or a list with commas; default: those in "
            "the folder's config.json, else those of the listed model."
        ),
    ] = None,
) -> None:
    """Register your own fine-tuned weights under a name of their own."""
    names = () if labels is None else read_labels(labels)
    folder = models_dir(read_settings())
    spec = add_model(folder, name, like=like, file=file, labels=names)
    knows = f"; it knows {', '.join(spec.reportable_labels)}" if spec.reportable_labels else ""
    out().print(f"{spec.name}: verified and stored{knows}")
