"""One worker: the parent listens and watches, its one forked child works with the models.

Everything heavy is imported before the fork, so that a child that dies is replaced in
milliseconds; nothing of it is used before, because CUDA doesn't survive a fork.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from types import FrameType
from typing import Any, TypeAlias

from celery import signals

from vision.domain.job import MAX_ITEMS_PER_UNIT
from vision.engine.parts import Engine, broker_url, open_engine, pace
from vision.engine.station import Station
from vision.engine.work_loop import WorkDone, work
from vision.logs import configure_logs
from vision.settings import Settings
from workers.celery_app import QUEUES, make_app
from workers.shared_state import SharedState
from workers.slot import worker_slot
from workers.tasks import RING_SECONDS, install_ring

log = logging.getLogger(__name__)

OpenStation: TypeAlias = Callable[..., AbstractContextManager[Station]]
"""As `vision.engine.worker_parts.open_station`."""

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the others waiting for the interpreter. Python's own 5 ms is as long
as a whole image on a fast GPU, whose thread must not wait for one that talks to the database."""
WATCH_SECONDS = 5.0
STALL_GRACE_SECONDS = 15.0
"""The child ends itself when work stalls. Only when it can't, the parent does."""


def serve(settings: Settings, open_station: OpenStation) -> None:
    """One worker, until SIGTERM or SIGINT: then the unit in work is finished or given back."""
    configure_logs(settings.log_level)
    with worker_slot(settings.data_dir / "workers") as name:
        worker = _Worker(settings, name, open_station)
        worker.app.worker_main(
            [
                *("worker", "--pool=prefork", "--concurrency=1", "-O", "fair"),
                f"--queues={','.join(QUEUES)}",
                *("--without-mingle", "--without-gossip", "--without-heartbeat"),
                f"--hostname={name}@%h",
            ]
        )


class _Worker:
    """The signal handlers, and what they share. Made in the parent, used on both sides."""

    def __init__(self, settings: Settings, name: str, open_station: OpenStation) -> None:
        self._settings = settings
        self._name = name
        self._open_station = open_station
        self._state = SharedState()
        self._parts = ExitStack()
        self._station: Station | None = None
        self.app = make_app(broker_url(settings), task_seconds=longest_task_seconds(settings))
        install_ring(self.app, lambda: self._shift)
        self._connect_signals()

    def _connect_signals(self) -> None:
        for signal_, handler in (
            (signals.setup_logging, self._keep_logging),
            (signals.worker_ready, self._watch_child),
            (signals.worker_shutting_down, self._ask_to_drain),
            (signals.worker_process_init, self._open_in_child),
            (signals.worker_process_shutdown, self._close_in_child),
        ):
            # Celery keeps weak references by default.
            signal_.connect(handler, weak=False)

    def _shift(self, *, max_seconds: float) -> WorkDone:
        assert self._station is not None
        try:
            return work(
                self._station,
                pace(self._settings),
                drain=self._state.should_drain,
                max_seconds=max_seconds,
                on_move=self._state.work_moved,
            )
        finally:
            self._state.work_ended()

    def _open_in_child(self, **_signal: Any) -> None:
        # A SIGTERM to the whole process group means the same as one to the parent.
        signal.signal(signal.SIGTERM, self._on_terminate)
        sys.setswitchinterval(SWITCH_SECONDS)
        engine = self._parts.enter_context(open_engine(self._settings))
        self._station = self._parts.enter_context(
            self._open_station(engine, self._settings, owner=f"{self._name}/{os.getpid()}")
        )
        self._take_back_leases(engine)
        log.info("worker ready", extra={"worker": self._name})

    def _take_back_leases(self, engine: Engine) -> None:
        """There is one child at a time: whatever a former one held, it holds no longer."""
        if engine.units.expire_owner(f"{self._name}/"):
            engine.units.reap(max_fails=self._settings.max_fails)

    def _close_in_child(self, **_signal: Any) -> None:
        if self._station is not None:
            self._parts.close()

    def _on_terminate(self, _signal: int, _frame: FrameType | None) -> None:
        self._state.ask_to_drain()

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
    """More than any task that gets on can take: a last unit whose every image nearly stalls."""
    return RING_SECONDS + MAX_ITEMS_PER_UNIT * settings.stall_seconds
