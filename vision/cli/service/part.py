"""One process of the service: started tied to this one, read line by line, started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vision.cli.service import tied

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A part that ran for so long is started again at once when it dies."""
READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Part:
    """What to run."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    fds: tuple[int, ...] = ()
    """Descriptors that it inherits."""
    ends_last: bool = False
    """The others need it until they have ended."""

    def full_environment(self) -> dict[str, str]:
        """This process's own and the part's on top."""
        return {**os.environ, **self.environment}


class RunningPart:
    """A part and its process of the moment. Every call returns at once."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.failures = 0
        """Deaths in a row, without a steady time in between."""
        self._not_before = 0.0
        self._started: float
        self._unfinished: bytes
        self._is_silent: bool
        self._process: subprocess.Popen[bytes]
        self._start()

    @property
    def output_fd(self) -> int:
        """Readable when there are lines; another one after each start."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    @property
    def may_speak(self) -> bool:
        """False once its output has ended: waiting for more would spin."""
        return not self._is_silent

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def lines(self) -> Iterator[str]:
        """The whole lines that wait; at the end of the output also an unfinished one."""
        while self.may_speak and (block := self._read()):
            *whole, self._unfinished = (self._unfinished + block).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole)
        if self._unfinished and not self.is_alive():
            yield self._unfinished.decode(errors="replace")
            self._unfinished = b""

    def note_death(self) -> tuple[int, float]:
        """Return code, and the pause in seconds before the next start. Once per death."""
        if time.monotonic() - self._started > STEADY_SECONDS:
            self.failures = 0
        pause_seconds = restart_pause_seconds(self.failures)
        self.failures += 1
        self._not_before = time.monotonic() + pause_seconds
        self.kill()
        return self._process.returncode, pause_seconds

    def may_start(self) -> bool:
        """Its pause is over."""
        return time.monotonic() >= self._not_before

    def restart(self) -> None:
        self.close()
        self._start()

    def terminate(self) -> None:
        """Asks the part itself; it decides about its children."""
        if self.is_alive():
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """The part and whatever is left of its children."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def close(self) -> None:
        """After its death."""
        self._process.wait()
        self._is_silent = True
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _start(self) -> None:
        self._started = time.monotonic()
        self._unfinished = b""
        self._is_silent = False
        self._process = subprocess.Popen(
            tied_argv(self.part.argv),
            env=self.part.full_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=self.part.fds,
            # Ctrl-C reaches us only: the parts are to drain, in order.
            start_new_session=True,
        )
        os.set_blocking(self.output_fd, False)

    def _read(self) -> bytes:
        try:
            block = os.read(self.output_fd, READ_BYTES)
        except BlockingIOError:
            return b""
        self._is_silent = not block
        return block


def restart_pause_seconds(failures: int) -> float:
    """Doubles with each failure before this one, up to a limit."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures, 16), LONGEST_PAUSE_SECONDS)


def tied_argv(argv: tuple[str, ...]) -> list[str]:
    """Runs `argv` so that it dies with this process."""
    wrapper = [sys.executable, "-I", "-S", str(Path(tied.__file__)), str(os.getpid())]
    return [*wrapper, *argv]
