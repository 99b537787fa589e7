"""Keeps the parts of one service running, and ends them together."""

import selectors
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Self

from vision.cli.service.part import Part, RunningPart
from vision.errors import OperatorError

POLL_SECONDS = 0.2
LAST_SECONDS = 2.0
"""What parts that end last still get when the others have used up the time."""

HOPELESS_FAILURES = 5

Show = Callable[[str, str], None]
"""Takes a part's name and one line of its output."""


class StopRequests:
    """Counts SIGINT and SIGTERM; the second one means: at once."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, _signal: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        self.count += 1

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Main thread only; the former handlers come back afterwards."""
        signals = (signal.SIGINT, signal.SIGTERM)
        former = {number: signal.signal(number, self.note) for number in signals}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


class Supervisor:
    """Starts parts in order, shows what they say, starts dead ones again, drains at the end.

    A context manager: the parts live inside it. One thread: they are tied to the one that
    started them.
    """

    def __init__(self, parts: Sequence[Part], *, show: Show, drain_seconds: float) -> None:
        self._parts = parts
        self._show = show
        self._drain_seconds = drain_seconds
        self._running: list[RunningPart] = []
        self._awaiting_start: set[str] = set()

    def __enter__(self) -> Self:
        for part in self._parts:
            self._running.append(RunningPart(part))
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing survives, however it came to this."""
        for running in self._running:
            running.kill()
            self._show_lines(running)
            running.close()

    def watch(self, stop: StopRequests, *, has_served: Callable[[], bool] = lambda: False) -> None:
        """Until `stop` counts.

        Raises OperatorError when a part dies again and again and `has_served` is still false:
        what has served once is always started again.
        """
        while not stop.count:
            self._show_output()
            self._revive()
            hopeless = [each for each in self._running if each.failures >= HOPELESS_FAILURES]
            if hopeless and not has_served():
                raise OperatorError(f"{hopeless[0].part.name} ends each time it is started")

    def drain(self, stop: StopRequests) -> bool:
        """Asks all to end. True when each did so by itself and in time."""
        deadline = time.monotonic() + self._drain_seconds
        last = [running for running in self._running if running.part.ends_last]
        first = [running for running in self._running if not running.part.ends_last]
        has_drained = self._ended(first, deadline=deadline, stop=stop)
        for running in first:
            running.kill()
        deadline = max(deadline, time.monotonic() + LAST_SECONDS)
        return self._ended(last, deadline=deadline, stop=stop) and has_drained

    def pids(self) -> dict[str, int]:
        """Of the processes of the moment, by the part's name."""
        return {running.part.name: running.pid for running in self._running}

    def _show_output(self) -> None:
        self._wait_for_output()
        for running in self._running:
            self._show_lines(running)

    def _show_lines(self, running: RunningPart) -> None:
        for line in running.lines():
            self._show(running.part.name, line)

    def _wait_for_output(self) -> None:
        with selectors.DefaultSelector() as selector:
            for running in self._running:
                if running.may_speak:
                    selector.register(running.output_fd, selectors.EVENT_READ)
            selector.select(POLL_SECONDS)

    def _revive(self) -> None:
        for running in self._running:
            if running.is_alive():
                continue
            if running.part.name not in self._awaiting_start:
                self._mourn(running)
            elif running.may_start():
                self._awaiting_start.remove(running.part.name)
                running.restart()

    def _mourn(self, running: RunningPart) -> None:
        code, pause_seconds = running.note_death()
        self._awaiting_start.add(running.part.name)
        ending = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._show(running.part.name, f"ended with {ending}; again in {pause_seconds:g} s")

    def _ended(self, some: Iterable[RunningPart], *, deadline: float, stop: StopRequests) -> bool:
        waiting = list(some)
        for running in waiting:
            running.terminate()
        while waiting and time.monotonic() < deadline and stop.count < 2:
            self._show_output()
            waiting = [running for running in waiting if running.is_alive()]
        return not waiting
