"""`vision jobs track`: follow the objects of an ended job anew, without any model."""

from typing import Annotated, get_args

import typer

from vision.cli.client import DEFAULT_SERVER, Client, JsonOption, ServerOption
from vision.cli.job_report import answer
from vision.cli.job_wait import exit_code, wait_for
from vision.cli.result_list import JobArgument
from vision.pipelines.stages import Algorithm

ALGORITHMS = ", ".join(get_args(Algorithm))


def track(
    job: JobArgument,
    *,
    algorithm: Annotated[str, typer.Option(help=f"{ALGORITHMS}.")] = "bytetrack",
    lost_track_seconds: Annotated[
        float | None, typer.Option(help="How long an object may be out of sight.")
    ] = None,
    minimum_consecutive_frames: Annotated[
        int | None, typer.Option(help="Seen in so many frames running, or it is no track.")
    ] = None,
    minimum_iou_threshold: Annotated[
        float | None, typer.Option(help="Least overlap of where it should be and where it is.")
    ] = None,
    track_activation_threshold: Annotated[
        float | None, typer.Option(help="Least score that begins a track.")
    ] = None,
    high_conf_det_threshold: Annotated[
        float | None, typer.Option(help="Detections of a lower score come second.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it has ended.")] = False,
    as_json: JsonOption = False,
    server: ServerOption = DEFAULT_SERVER,
) -> None:
    """Follow the objects of an ended job's videos anew, from its stored detections."""
    stage = {
        "algorithm": algorithm,
        "lost_track_seconds": lost_track_seconds,
        "minimum_consecutive_frames": minimum_consecutive_frames,
        "minimum_iou_threshold": minimum_iou_threshold,
        "track_activation_threshold": track_activation_threshold,
        "high_conf_det_threshold": high_conf_det_threshold,
    }
    given = {name: value for name, value in stage.items() if value is not None}
    with Client(server) as client:
        found = client.post(f"/jobs/{job}/track", given)
        if wait:
            found = wait_for(client, job)
    answer(found, as_json=as_json)
    if wait:
        raise typer.Exit(exit_code(found))
