"""What the worker's parent and its child tell each other without messages: one shared page."""

import mmap
import os
import struct
import time

_DRAIN = struct.Struct("?")
_PULSE = struct.Struct("=qd")
_PULSE_AT = 8
"""Bytes from the start of the page."""


class SharedState:
    """Made in the parent before it forks; both then see the same memory.

    A byte, and a pid with a time that only one process writes: no lock to die with.
    """

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)

    def ask_to_drain(self) -> None:
        _DRAIN.pack_into(self._page, 0, True)

    def should_drain(self) -> bool:
        return bool(_DRAIN.unpack_from(self._page, 0)[0])

    def work_moved(self) -> None:
        """This process works, and just got a step further."""
        # CLOCK_MONOTONIC is one clock for all processes of a Linux host.
        _PULSE.pack_into(self._page, _PULSE_AT, os.getpid(), time.monotonic())

    def work_ended(self) -> None:
        """This process is idle: silence is no stall."""
        _PULSE.pack_into(self._page, _PULSE_AT, 0, 0.0)

    def stalled_pid(self, after_seconds: float) -> int | None:
        """The process that works and hasn't got any further for so long."""
        pid, moved_at = _PULSE.unpack_from(self._page, _PULSE_AT)
        is_stalled = bool(pid) and time.monotonic() - moved_at > after_seconds
        return int(pid) if is_stalled else None
