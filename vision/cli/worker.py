"""`vision worker`: one Celery worker, one process with the models."""

import os
import sys
from typing import Annotated

import typer

from vision.cli.configuration import read_settings

APP = "workers.tasks"
"""By name: nothing in `vision` may import what stands on it."""


def worker(
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
) -> None:
    """One worker, until SIGTERM: one per GPU, or one for the CPU."""
    if device is not None:
        os.environ["VISION_DEVICE"] = device
    settings = read_settings()
    # Becomes Celery: signals then reach it without anyone in between.
    os.execv(sys.executable, celery_argv(sys.executable, log_level=settings.log_level))  # noqa: S606


def celery_argv(python: str, *, log_level: str) -> list[str]:
    """Celery's command line for one worker with one child."""
    return [
        *(python, "-m", "celery", "--quiet", "--app", APP, "worker"),
        # A parent that never touches CUDA and one child that holds the models.
        *("--pool", "prefork", "--concurrency", "1", "-O", "fair"),
        # Workers know each other through the database only.
        *("--without-mingle", "--without-gossip", "--without-heartbeat"),
        *("--hostname", f"vision-{os.getpid()}@%h", "--loglevel", log_level),
    ]
