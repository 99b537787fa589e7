"""`python -m workers.tick`: repairs what broke and rings for what is ready, every few seconds."""

import signal
import threading
from collections.abc import Callable

from vision.engine.parts import broker_url, open_engine
from vision.engine.tick_loop import run_ticks
from vision.logs import configure_logs
from vision.settings import Settings
from workers.queue import Bell


def run_tick(settings: Settings, *, on_success: Callable[[], object] = lambda: None) -> None:
    """Until SIGTERM or SIGINT. `on_success` is called after every tick that went well."""
    configure_logs(settings.log_level)
    stop = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda _signal, _frame: stop.set())
    with open_engine(settings) as engine, Bell(broker_url(settings)) as bell:
        run_ticks(
            engine.tick,
            ring=bell.ring,
            every_seconds=settings.tick_seconds,
            stop=stop,
            on_success=on_success,
        )


if __name__ == "__main__":
    run_tick(Settings())
