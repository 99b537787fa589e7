"""The bell: tells workers that there is work. Carries nothing, may be lost, never blocks.

The only module of `workers` that the API may import; no torch behind it.
"""


class Bell:
    """Rings from a thread of its own, so that no caller ever waits for Redis.

    Rings while one is being rung are joined: the queue holds at most as many bells as the
    largest ring asked for. When the broker doesn't answer, the ring is dropped; the next tick
    rings again.
    """

    def __init__(self, broker_url: str) -> None:
        self._broker_url = broker_url

    def ring(self, count: int = 1) -> None:
        """Let at least `count` bells wait in the queue; returns at once and never raises."""
        raise NotImplementedError

    def close(self, timeout_seconds: float = 1.0) -> None:
        """Rings what was asked for, if that takes no longer than `timeout_seconds`."""
        raise NotImplementedError
