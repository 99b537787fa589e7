"""`vision detections`: ask a server what was found."""

from typing import Annotated, Any

import typer

from vision.cli.client import DEFAULT_SERVER, JsonOption, Query, ServerOption
from vision.cli.result_list import (
    AssetOption,
    FromOption,
    LabelOption,
    LimitOption,
    Listing,
    MinScoreOption,
    ToOption,
)

VIDEO_COLUMNS = ("seconds", "frame", "track")

AnyJobArgument = Annotated[
    str | None, typer.Argument(metavar="[JOB]", help="Only of this job; default: of all.")
]


def detections(
    job: AnyJobArgument = None,
    *,
    label: LabelOption = None,
    min_score: MinScoreOption = None,
    asset: AssetOption = None,
    track: Annotated[int | None, typer.Option(min=1, help="Only of this track.")] = None,
    frame: Annotated[int | None, typer.Option(min=0, help="Only in this frame, from 0.")] = None,
    from_seconds: FromOption = None,
    to_seconds: ToOption = None,
    tag: Annotated[str | None, typer.Option(help="Only of jobs with this tag.")] = None,
    since: Annotated[str | None, typer.Option(help="RFC 3339 time of creation.")] = None,
    until: Annotated[str | None, typer.Option(help="RFC 3339 time of creation.")] = None,
    masks: Annotated[bool, typer.Option("--masks", help="With masks, in --json.")] = False,
    vectors: Annotated[
        bool, typer.Option("--embeddings", help="With the vector of each, in --json.")
    ] = False,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """What was found, by label, score, asset, track, tag and time."""
    query: Query = {
        "job_id": job,
        "label": label,
        "min_score": min_score,
        "asset_id": asset,
        "track_id": track,
        "frame_index": frame,
        "from_seconds": from_seconds,
        "to_seconds": to_seconds,
        "tag": tag,
        "since": since,
        "until": until,
        "include": _included(masks=masks, vectors=vectors),
    }
    found = Listing.asked(server, "/detections", query, limit=limit)
    if as_json:
        found.print_json()
        return
    is_video = any(one["frame_index"] is not None for one in found.items)
    columns = ("asset", "label", "score", "box", *(VIDEO_COLUMNS if is_video else ()))
    table = columns, [_row(one, is_video=is_video) for one in found.items]
    found.print_table(table, everything="vision export")


def _included(*, masks: bool, vectors: bool) -> str | None:
    extras = (["mask", "keypoints"] if masks else []) + (["embedding"] if vectors else [])
    return ",".join(extras) or None


def _row(found: Any, *, is_video: bool) -> tuple[object, ...]:
    score = found.get("score")
    box = " ".join(f"{value:.1f}" for value in found["box"])
    row = found["asset_id"], found["label"], "" if score is None else f"{score:.3f}", box
    return (*row, *_place(found)) if is_video else row


def _place(found: Any) -> tuple[object, ...]:
    """Empty for a picture among videos."""
    seconds = found["pts_seconds"]
    return "" if seconds is None else f"{seconds:.3f}", found["frame_index"], found["track_id"]
