"""`vision embeddings`: the vectors of a job's pictures and detections."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from vision.cli.client import DEFAULT_SERVER, Client, JsonOption, Query, ServerOption
from vision.cli.output import notes, print_json, print_table

COLUMNS = ("asset", "of", "seconds", "frame", "label", "model", "numbers", "begins with")
SHOWN_NUMBERS = 3


class Of(StrEnum):
    """What a vector is of."""

    IMAGE = "image"
    FRAME = "frame"
    DETECTION = "detection"


def embeddings(
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")],
    *,
    of: Annotated[Of | None, typer.Option(help="Only of such things.")] = None,
    asset: Annotated[str | None, typer.Option(help="Only of this asset.")] = None,
    detection: Annotated[int | None, typer.Option(min=0, help="Only of this detection.")] = None,
    frame: Annotated[int | None, typer.Option(min=0, help="Only of this frame, from 0.")] = None,
    from_seconds: Annotated[
        float | None, typer.Option("--from", help="Place in the video, seconds, inclusive.")
    ] = None,
    to_seconds: Annotated[
        float | None, typer.Option("--to", help="Place in the video, seconds, exclusive.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    as_json: JsonOption = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """The vectors of a job's pictures and detections: all numbers with --json."""
    query: Query = {
        "of": of,
        "asset_id": asset,
        "detection_id": detection,
        "frame_index": frame,
        "from_seconds": from_seconds,
        "to_seconds": to_seconds,
    }
    with Client(server) as client:
        found = client.first_items(f"/jobs/{job}/embeddings", query, limit=limit)
    if as_json:
        print_json({"items": found})
        return
    print_table(COLUMNS, [_row(one) for one in found])
    if len(found) == limit:
        notes().print(
            f"the first {limit}; more with --limit, all with `vision export -f embeddings`"
        )


def _row(found: Any) -> tuple[object, ...]:
    seconds = found["pts_seconds"]
    beginning = " ".join(f"{value:.4f}" for value in found["vector"][:SHOWN_NUMBERS])
    return (
        found["asset_id"],
        found["of"],
        "" if seconds is None else f"{seconds:.3f}",
        found["frame_index"],
        found["label"],
        found["model"],
        found["dimensions"],
        f"{beginning} …",
    )
