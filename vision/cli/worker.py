"""`vision worker`: one Celery worker, one process with the models."""

from typing import Annotated

import typer

from vision.cli.configuration import read_settings
from vision.cli.lazy import load

RUN_WORKER = "workers.lifecycle:run_worker"
"""By name: nothing in `vision` may import what stands on it."""


def worker(
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
) -> None:
    """One worker, until SIGTERM: one per GPU, or one for the CPU."""
    load(RUN_WORKER)(read_settings(device=device))
