"""Walls around the decode process, as many as this system has.

Limits on memory, processor time, file sizes and descriptors; no new privileges; no network;
and an end together with the parent. None of them is needed for correct results.
"""

import ctypes
import math
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_MAX_DESCRIPTORS = 256
_IDLE_BYTES = 1 << 30
"""Address space of an idle process, where the system doesn't tell."""


def die_with_parent(parent_pid: int) -> None:
    """Ends this process when the thread that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit("the parent is already gone")


def enter(memory_bytes: int) -> None:
    """For the rest of this process's life; call it after the last import."""
    for limit, value in (
        (resource.RLIMIT_AS, _address_space_bytes() + memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _MAX_DESCRIPTORS),
        (resource.RLIMIT_CORE, 0),
    ):
        _lower(limit, value)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # Root may do the second at once; others only inside a user namespace, if at all.
        if libc.unshare(_CLONE_NEWNET):
            libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def allow_processor_seconds(seconds: float) -> None:
    """From now on; after that the kernel ends this process."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    allowed = math.ceil(spent.ru_utime + spent.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or allowed < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (allowed, hard))


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    if hard == resource.RLIM_INFINITY or value < hard:
        resource.setrlimit(limit, (value, value))


def _address_space_bytes() -> int:
    statistics = Path("/proc/self/statm")
    if not statistics.exists():
        return _IDLE_BYTES
    return int(statistics.read_text().split()[0]) * resource.getpagesize()
