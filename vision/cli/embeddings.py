"""`vision embeddings`: the vectors of a job's pictures and detections."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from vision.cli.client import DEFAULT_SERVER, JsonOption, Query, ServerOption
from vision.cli.result_list import (
    AssetOption,
    FromOption,
    JobArgument,
    LimitOption,
    Listing,
    ToOption,
)

COLUMNS = ("asset", "of", "seconds", "frame", "label", "model", "numbers", "begins with")
SHOWN_NUMBERS = 3


class Of(StrEnum):
    """What a vector is of."""

    IMAGE = "image"
    FRAME = "frame"
    DETECTION = "detection"


def embeddings(
    job: JobArgument,
    *,
    of: Annotated[Of | None, typer.Option(help="Only of such things.")] = None,
    asset: AssetOption = None,
    detection: Annotated[int | None, typer.Option(min=0, help="Only of this detection.")] = None,
    frame: Annotated[int | None, typer.Option(min=0, help="Only of this frame, from 0.")] = None,
    from_seconds: FromOption = None,
    to_seconds: ToOption = None,
    limit: LimitOption = 100,
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
    found = Listing.asked(server, f"/jobs/{job}/embeddings", query, limit=limit)
    if as_json:
        found.print_json()
        return
    table = COLUMNS, [_row(one) for one in found.items]
    found.print_table(table, everything="vision export -f embeddings")


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
