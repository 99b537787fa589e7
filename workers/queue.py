"""The bell: tells workers that there is work. Carries nothing, may be lost, never blocks.

The only module of `workers` that the API may import; no torch behind it.
"""

import logging
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from celery import Celery
from kombu.connection import Connection
from kombu.exceptions import KombuError
from kombu.messaging import Producer

from vision.errors import QueueUnavailable
from workers.celery_app import QUEUE, TASK, make_app

log = logging.getLogger(__name__)


class Bell:
    """Rings from a thread of its own, so that no caller ever waits for Redis.

    Rings while one is being rung are joined: the queue holds at most as many bells as the
    largest ring asked for. When the broker doesn't answer, the ring is dropped; the next tick
    rings again. A context manager; usable until closed, from any thread.
    """

    def __init__(self, broker_url: str) -> None:
        self._line = _Line(make_app(broker_url))
        self._changed = threading.Condition()
        self._wanted = 0
        self._is_closed = False
        self._thread = threading.Thread(target=self._ring_when_asked, name="bell", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ring(self, count: int = 1) -> None:
        """Let at least `count` bells wait in the queue; returns at once and never raises."""
        with self._changed:
            self._wanted = max(self._wanted, count)
            self._changed.notify()

    def close(self, timeout_seconds: float = 1.0) -> None:
        """Rings what was asked for, if that takes no longer than `timeout_seconds`."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(timeout_seconds)

    def _ring_when_asked(self) -> None:
        while count := self._next_count():
            try:
                self._line.ring(count)
            except QueueUnavailable as error:
                log.warning("bell not rung", extra={"bells": count, "error": str(error)})
        self._line.hang_up()

    def _next_count(self) -> int:
        """How many are asked for, waiting for a wish; 0 when closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._is_closed)
            count, self._wanted = self._wanted, 0
            return count


class _Line:
    """The connection to the broker: one thread's, opened at need, thrown away on failure."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Connection = app.connection_for_write()
        self._failures = _failures(self._connection)
        self._producer: Producer | None = None

    def ring(self, count: int) -> None:
        """Raises QueueUnavailable within seconds."""
        try:
            self._ring(self._producer or self._opened(), count)
        except self._failures as error:
            self.hang_up()
            raise QueueUnavailable(f"the broker doesn't answer: {error}") from error

    def hang_up(self) -> None:
        connection, self._connection = self._connection, self._app.connection_for_write()
        self._producer = None
        with suppress(*self._failures):
            connection.release()  # type: ignore[no-untyped-call]

    def _ring(self, producer: Producer, count: int) -> None:
        # Bells that wait are heard before any that we could add: old ones never pile up.
        waiting = producer.channel.queue_declare(QUEUE).message_count
        for _ in range(count - waiting):
            self._app.send_task(TASK, queue=QUEUE, producer=producer, retry=False)

    def _opened(self) -> Producer:
        # Connection.channel fails after one try; Connection.default_channel would try for ever.
        channel = self._connection.channel()  # type: ignore[no-untyped-call]
        self._app.amqp.queues[QUEUE](channel).declare()
        self._producer = self._app.amqp.Producer(channel, auto_declare=False)
        return self._producer


def _failures(connection: Connection) -> tuple[type[Exception], ...]:
    """What a broker that is away, hung, full or confused makes the transport raise."""
    return (KombuError, OSError, *connection.connection_errors, *connection.channel_errors)
