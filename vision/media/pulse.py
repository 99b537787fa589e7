"""The decode process's sign of life during long work."""

import os
import time
from typing import Final

from vision.media import sandbox
from vision.media.wire import Message, Wire

_BEAT_SECONDS: Final = 1.0


def processors() -> int:
    """As many as we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pulse:
    """Tells the parent every second that work goes on, and keeps the kernel from ending it."""

    def __init__(self, wire: Wire, seconds: float) -> None:
        """`seconds` may pass without a beat."""
        self._wire = wire
        self._processor_seconds = seconds * processors()
        self.restart()

    def restart(self) -> None:
        """Something else was just said."""
        sandbox.allow_processor_seconds(self._processor_seconds)
        self._next = time.monotonic() + _BEAT_SECONDS

    def beat(self) -> None:
        """To be called often."""
        if time.monotonic() >= self._next:
            self._wire.send(Message({"working": True}))
            self.restart()
