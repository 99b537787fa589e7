"""`vision`: every command by name, and where it lives."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import typer

from vision import __version__
from vision.cli.lazy import LazyCommand, LazyGroup
from vision.cli.output import out
from vision.spinning import spin_briefly

spin_briefly()

COMMANDS: Mapping[str, LazyCommand] = {
    "up": LazyCommand("vision.cli.up:up", "The whole service on this machine; Ctrl-C drains."),
    "batch": LazyCommand(
        "vision.cli.batch.command:batch",
        "Every picture and video in a folder; interrupted, the same command goes on where it was.",
    ),
    "analyze": LazyCommand("vision.cli.analyze:analyze", "One picture or video, here and now."),
    "jobs": LazyCommand("vision.cli.jobs:app", "The jobs of a server."),
    "detections": LazyCommand(
        "vision.cli.detections:detections",
        "What was found, by label, score, asset, track, tag and time.",
    ),
    "classifications": LazyCommand(
        "vision.cli.classifications:classifications",
        "What a job's pictures and clips show as a whole, the best name first.",
    ),
    "embeddings": LazyCommand(
        "vision.cli.embeddings:embeddings",
        "The vectors of a job's pictures and detections: all numbers with --json.",
    ),
    "tracks": LazyCommand(
        "vision.cli.tracks:tracks",
        "The objects followed through a job's videos: when each was seen, and how often.",
    ),
    "export": LazyCommand(
        "vision.cli.export:export",
        "A job's results as a file: coco, jsonl, csv, parquet, embeddings, mot, cvat, yolo, …",
    ),
    "models": LazyCommand("vision.cli.models:app", "Models, and where their weights are."),
    "api": LazyCommand("vision.cli.api:api", "The REST service on its own, until SIGTERM."),
    "worker": LazyCommand(
        "vision.cli.worker:worker",
        "One worker, until SIGTERM: one per GPU, or one for the CPU.",
    ),
    "tick": LazyCommand(
        "vision.cli.tick:tick",
        "Repair what died and wake workers, until SIGTERM; any number may run.",
    ),
    "migrate": LazyCommand(
        "vision.cli.migrate:migrate",
        "Bring the database to the newest schema; safe at any time, also twice at once.",
    ),
    "bench": LazyCommand(
        "vision.cli.bench.command:bench",
        "Measure this machine, each figure in one run against its reference.",
    ),
    "doctor": LazyCommand(
        "vision.cli.doctor:doctor", "What is missing on this machine, and what to do about it."
    ),
}


class VisionCommands(LazyGroup):
    """The commands of `vision`."""

    table: ClassVar[Mapping[str, LazyCommand]] = COMMANDS


app = typer.Typer(
    cls=VisionCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)

VersionOption = Annotated[bool, typer.Option("--version", is_eager=True, help="Say it and end.")]


@app.callback(invoke_without_command=True)
def vision(*, version: VersionOption = False) -> None:
    """Structured, queryable detections from pictures and videos, on your own machines."""
    if version:
        out().print(f"vision-service {__version__}")
        raise typer.Exit


if __name__ == "__main__":
    app()
