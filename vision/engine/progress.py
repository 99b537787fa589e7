"""Whether work moves: what a heartbeat is worth when it comes from a process that hangs."""

import time
from collections.abc import Callable


def unobserved() -> None:
    """For callers to whom progress doesn't matter."""


class Progress:
    """The moment something was last claimed, decoded, inferred or stored. Safe for threads."""

    def __init__(self, on_move: Callable[[], None] = unobserved) -> None:
        """`on_move` is called from any thread and is quick."""
        self._on_move = on_move
        self.move()

    def move(self) -> None:
        self._moved_at = time.monotonic()
        self._on_move()

    @property
    def idle_seconds(self) -> float:
        """Since the last move."""
        return time.monotonic() - self._moved_at
