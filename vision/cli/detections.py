"""`vision detections`: ask a server what was found."""

from typing import Annotated, Any

import typer

from vision.cli.client import DEFAULT_SERVER, Client, JsonOption, Query, ServerOption
from vision.cli.output import notes, print_json, print_table

JobArgument = Annotated[
    str | None, typer.Argument(metavar="[JOB]", help="Only of this job; default: of all.")
]


def detections(
    job: JobArgument = None,
    *,
    label: Annotated[str | None, typer.Option(help="Only this label.")] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="At least.")] = None,
    asset: Annotated[str | None, typer.Option(help="Only of this asset.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only of jobs with this tag.")] = None,
    since: Annotated[str | None, typer.Option(help="RFC 3339 time of creation.")] = None,
    until: Annotated[str | None, typer.Option(help="RFC 3339 time of creation.")] = None,
    masks: Annotated[bool, typer.Option("--masks", help="With masks, in --json.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    as_json: JsonOption = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """What was found, by label, score, asset, tag and time."""
    query: Query = {
        "job_id": job,
        "label": label,
        "min_score": min_score,
        "asset_id": asset,
        "tag": tag,
        "since": since,
        "until": until,
        "include": "mask,keypoints" if masks else None,
    }
    with Client(server) as client:
        found = client.first_items("/detections", query, limit=limit)
    if as_json:
        print_json({"items": found})
        return
    print_table(("asset", "label", "score", "box"), [_row(one) for one in found])
    if len(found) == limit:
        notes().print(f"the first {limit}; more with --limit, all with `vision export`")


def _row(found: Any) -> tuple[object, ...]:
    score = found.get("score")
    box = " ".join(f"{value:.1f}" for value in found["box"])
    return found["asset_id"], found["label"], "" if score is None else f"{score:.3f}", box
