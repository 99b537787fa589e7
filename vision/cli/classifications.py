"""`vision classifications`: what a job's pictures and clips show as a whole."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from vision.cli.client import DEFAULT_SERVER, Client, JsonOption, Query, ServerOption
from vision.cli.output import notes, print_json, print_table

COLUMNS = ("asset", "rank", "label", "score", "from s", "to s")


class Of(StrEnum):
    """What a name is for."""

    IMAGE = "image"
    FRAME = "frame"
    CLIP = "clip"


def classifications(
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")],
    *,
    label: Annotated[str | None, typer.Option(help="Only this label.")] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="At least.")] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Only the best so many of each picture or clip.")
    ] = None,
    of: Annotated[Of | None, typer.Option(help="Only of such things.")] = None,
    asset: Annotated[str | None, typer.Option(help="Only of this asset.")] = None,
    frame: Annotated[
        int | None, typer.Option(min=0, help="Only of this frame and of clips with it, from 0.")
    ] = None,
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
    with Client(server) as client:
        found = client.first_items(f"/jobs/{job}/classifications", query, limit=limit)
    if as_json:
        print_json({"items": found})
        return
    print_table(COLUMNS, [_row(one) for one in found])
    if len(found) == limit:
        notes().print(f"the first {limit}; more with --limit, all with `vision export -f classes`")


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
