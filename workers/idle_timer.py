"""What a process does once it has had nothing to do for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer


class IdleTimer:
    """Calls `action` in a thread of its own, once for each pause of `after_seconds`."""

    def __init__(self, action: Callable[[], None], *, after_seconds: float) -> None:
        self._action = action
        self._after_seconds = after_seconds
        self._timer: Timer | None = None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """A pause ends here, and the next one begins when the block ends."""
        self.stop()
        try:
            yield
        finally:
            self._timer = Timer(self._after_seconds, self._action)
            self._timer.daemon = True
            self._timer.start()

    def stop(self) -> None:
        """Without effect on an action that has begun."""
        if self._timer is not None:
            self._timer.cancel()
