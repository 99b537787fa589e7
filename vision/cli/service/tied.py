"""Becomes another program that can't outlive its parent: tied.py PARENT_PID PROGRAM ARGUMENT…"""

# A program of its own and not a preexec_fn: that one would run Python between fork and exec,
# in a process whose other threads' locks nobody will ever release.

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h. The wish survives exec and is not inherited by children."""


def main() -> None:
    """Never returns."""
    parent_pid, *argv = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent_pid):
        sys.exit("the parent has already ended")
    os.execvp(argv[0], argv)  # noqa: S606 (an argv list of our own)


if __name__ == "__main__":
    main()
