"""One worker: the parent listens and watches, its one forked child works with the models.

Everything heavy is imported before the fork, so that a child that dies is replaced in
milliseconds; nothing of it is used before, because CUDA doesn't survive a fork.
"""

import logging
import os
import signal
from typing import Any

from celery import signals

from vision.domain.job import MAX_ITEMS_PER_UNIT
from vision.engine.parts import broker_url
from vision.logs import configure_logs
from vision.settings import Settings
from workers.celery_app import QUEUES, make_app
from workers.child import Child, OpenStation
from workers.shared_state import SharedState
from workers.slot import worker_slot
from workers.tasks import RING_SECONDS, install_ring

log = logging.getLogger(__name__)

PER_BELL_LOGGERS = ("celery.worker.strategy", "celery.app.trace")
"""Two lines for each bell; what a bell set going is told by our own."""
WATCH_SECONDS = 5.0
SLOWEST_DRAWING = 20.0
"""Seconds that a second of video may take to be drawn and encoded: 4K at 60 fps on one core."""
STALL_GRACE_SECONDS = 15.0
"""The child ends itself when work stalls. Only when it can't, the parent does."""


def serve(settings: Settings, open_station: OpenStation) -> None:
    """One worker, until SIGTERM or SIGINT: then the unit in work is finished or given back."""
    configure_logs(settings.log_level)
    for chatty in PER_BELL_LOGGERS:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with worker_slot(settings.data_dir / "workers") as name:
        parent = _Parent(settings, open_station, name=name)
        parent.app.worker_main(
            [
                *("--quiet", "worker", "--pool=prefork", "--concurrency=1", "-O", "fair"),
                f"--queues={','.join(QUEUES)}",
                *("--without-mingle", "--without-gossip", "--without-heartbeat"),
                f"--hostname={name}@%h",
            ]
        )


class _Parent:
    """Celery's main process: hears bells, watches its child, passes on the wish to drain."""

    def __init__(self, settings: Settings, open_station: OpenStation, *, name: str) -> None:
        self._settings = settings
        self._state = SharedState()
        self._child = Child(settings, open_station, name=name, state=self._state)
        self.app = make_app(broker_url(settings), task_seconds=longest_task_seconds(settings))
        install_ring(self.app, self._child.shift)
        self._connect_signals()

    def _connect_signals(self) -> None:
        for signal_, handler in (
            (signals.setup_logging, self._keep_logging),
            (signals.worker_ready, self._watch_child),
            (signals.worker_shutting_down, self._ask_to_drain),
            (signals.worker_process_init, self._start_child),
            (signals.worker_process_shutdown, self._close_child),
        ):
            # Celery keeps weak references by default.
            signal_.connect(handler, weak=False)

    def _start_child(self, **_signal: Any) -> None:
        self._child.start()

    def _close_child(self, **_signal: Any) -> None:
        self._child.close()

    def _ask_to_drain(self, **_signal: Any) -> None:
        self._state.ask_to_drain()

    def _watch_child(self, sender: Any, **_signal: Any) -> None:
        sender.timer.call_repeatedly(WATCH_SECONDS, self._end_stalled_child)

    def _end_stalled_child(self) -> None:
        pid = self._state.stalled_pid(self._settings.stall_seconds + STALL_GRACE_SECONDS)
        if pid is not None:
            log.critical("child hangs, killed", extra={"child": pid})
            self._state.work_ended()
            os.kill(pid, signal.SIGKILL)

    def _keep_logging(self, **_signal: Any) -> None:
        """With a receiver here, Celery leaves logging as it is."""


def longest_task_seconds(settings: Settings) -> float:
    """More than any task that gets on can take: a drawing of the longest video, and one that was
    claimed while it lasted; a last unit whose every image nearly stalls.
    """
    images = MAX_ITEMS_PER_UNIT * settings.stall_seconds
    drawing = SLOWEST_DRAWING * settings.max_video_seconds
    return RING_SECONDS + 2 * drawing + images
