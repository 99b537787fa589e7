"""`vision analyze`: one picture or video, here and now, without a server."""

from pathlib import Path
from typing import Annotated

import typer

from vision.cli.analyze_picture import analyze_picture
from vision.cli.analyze_video import analyze_video
from vision.cli.asked import Asked
from vision.cli.client import JsonOption
from vision.cli.configuration import read_settings
from vision.cli.pipeline import PipelineOption, pipeline_from, runnable_here
from vision.errors import InvalidRequest
from vision.media.sniff import SNIFF_BYTES, VIDEO_TYPES, sniff


def analyze(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A picture or a video.")],
    *,
    pipeline: PipelineOption,
    drawn: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Annotated file; default: FILE's name.annotated.jpg or .mp4."
        ),
    ] = None,
    annotate: Annotated[
        bool, typer.Option("--annotate", help="Draw what was found, also a video or with --json.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """One picture or video, here and now.

    Prints a table, of a video its tracks, and writes the annotated picture; with --json prints
    everything, masks too. A video, and anything with --json, is drawn only with --annotate or
    --out. Ends with 3 when a part of a video could not be read.
    """
    if not file.is_file():
        raise InvalidRequest(f"there is no file {file}")
    settings = read_settings()
    document = runnable_here(pipeline_from(pipeline), settings)
    asked = Asked(file, document, drawn=drawn, annotate=annotate, as_json=as_json)
    if _is_video(file):
        raise typer.Exit(analyze_video(asked))
    analyze_picture(asked, settings)


def _is_video(file: Path) -> bool:
    with file.open("rb") as opened:
        return sniff(opened.read(SNIFF_BYTES)) in VIDEO_TYPES
