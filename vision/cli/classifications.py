"""`vision classifications`: what a job's pictures and clips show as a whole."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from vision.cli.client import DEFAULT_SERVER, JsonOption, Query, ServerOption
from vision.cli.result_list import (
    AssetOption,
    FromOption,
    JobArgument,
    LabelOption,
    LimitOption,
    Listing,
    MinScoreOption,
    ToOption,
)

COLUMNS = ("asset", "rank", "label", "score", "from s", "to s")


class Of(StrEnum):
    """What a name is for."""

    IMAGE = "image"
    FRAME = "frame"
    CLIP = "clip"


def classifications(
    job: JobArgument,
    *,
    label: LabelOption = None,
    min_score: MinScoreOption = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Only the best so many of each picture or clip.")
    ] = None,
    of: Annotated[Of | None, typer.Option(help="Only of such things.")] = None,
    asset: AssetOption = None,
    frame: Annotated[
        int | None, typer.Option(min=0, help="Only of this frame and of clips with it, from 0.")
    ] = None,
    from_seconds: FromOption = None,
    to_seconds: ToOption = None,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """What a job's pictures and clips show as a whole, the best name first."""
    query: Query = {
        "label": label,
        "min_score": min_score,
        "top": top,
        "of": of,
        "asset_id": asset,
        "frame_index": frame,
        "from_seconds": from_seconds,
        "to_seconds": to_seconds,
    }
    found = Listing.asked(server, f"/jobs/{job}/classifications", query, limit=limit)
    if as_json:
        found.print_json()
        return
    table = COLUMNS, [_row(one) for one in found.items]
    found.print_table(table, everything="vision export -f classes")


def _row(found: Any) -> tuple[object, ...]:
    return (
        found["asset_id"],
        found["rank"],
        found["label"],
        f"{found['score']:.3f}",
        *(_place(found[name]) for name in ("from_seconds", "to_seconds")),
    )


def _place(seconds: float | None) -> str:
    """Empty for a picture."""
    return "" if seconds is None else f"{seconds:.3f}"
