"""`vision tick`: repairs what died, and rings for what is ready."""

from pathlib import Path
from typing import Annotated

import typer

from vision.cli.configuration import read_settings
from vision.cli.lazy import load

RUN_TICK = "workers.tick:run_tick"
"""By name: nothing in `vision` may import what stands on it."""


def tick(
    alive_file: Annotated[
        Path | None, typer.Option(help="Touched after every tick that went well.")
    ] = None,
) -> None:
    """Repair what died and wake workers, until SIGTERM; any number may run."""
    on_success = alive_file.touch if alive_file is not None else lambda: None
    load(RUN_TICK)(read_settings(), on_success=on_success)
