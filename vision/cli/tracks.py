"""`vision tracks`: the objects that were followed through the videos of a job."""

from typing import Annotated

import typer

from vision.cli.client import DEFAULT_SERVER, JsonOption, Query, ServerOption
from vision.cli.result_list import AssetOption, JobArgument, LabelOption, LimitOption, Listing
from vision.cli.track_table import TRACK_COLUMNS, track_row


def tracks(
    job: JobArgument,
    *,
    label: LabelOption = None,
    asset: AssetOption = None,
    track: Annotated[int | None, typer.Option(min=1, help="Only this one.")] = None,
    from_seconds: Annotated[
        float | None, typer.Option("--from", help="Still seen then or later, seconds.")
    ] = None,
    to_seconds: Annotated[
        float | None, typer.Option("--to", help="First seen before, seconds.")
    ] = None,
    min_detections: Annotated[
        int | None, typer.Option(min=1, help="Only those of at least so many detections.")
    ] = None,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """The objects followed through a job's videos: when each was seen, and how often."""
    query: Query = {
        "label": label,
        "asset_id": asset,
        "track_id": track,
        "from_seconds": from_seconds,
        "to_seconds": to_seconds,
        "min_detections": min_detections,
    }
    found = Listing.asked(server, f"/jobs/{job}/tracks", query, limit=limit)
    if as_json:
        found.print_json()
        return
    columns = (*TRACK_COLUMNS, "asset")
    found.print_table((columns, [(*track_row(one), one["asset_id"]) for one in found.items]))
