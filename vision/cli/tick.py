"""`vision tick`: repairs what died, and rings for what is ready."""

import signal
import threading
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from vision.cli.configuration import read_settings
from vision.cli.lazy import load
from vision.engine.parts import broker_url, open_engine
from vision.engine.tick_loop import run_ticks
from vision.logs import configure_logs

BELL = "workers.queue:Bell"
"""By name: nothing in `vision` may import what stands on it."""


def tick(
    alive_file: Annotated[
        Path | None, typer.Option(help="Touched after every tick that went well.")
    ] = None,
) -> None:
    """Repair what died and wake workers, until SIGTERM; any number may run."""
    settings = read_settings()
    configure_logs(settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_signal: stop.set())
    with open_engine(settings) as engine, closing(load(BELL)(broker_url(settings))) as bell:
        run_ticks(
            engine.tick,
            ring=_ringing(bell, alive_file),
            every_seconds=settings.tick_seconds,
            stop=stop,
        )


def _ringing(bell: Any, alive_file: Path | None) -> Any:
    def ring(count: int) -> None:
        if alive_file is not None:
            alive_file.touch()
        bell.ring(count)

    return ring
