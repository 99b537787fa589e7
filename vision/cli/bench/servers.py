"""Servers in processes of their own, on loopback, for the time of a measurement."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from vision.cli.service.listening import address_of, listen
from vision.cli.service.part import tied_argv
from vision.errors import OperatorError

START_SECONDS = 60.0
PAUSE_SECONDS = 0.02
PEAK_RESET = "5"
"""Written to clear_refs: the peak starts again at what is resident now (man 5 proc)."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens, and its process."""

    host: str
    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def connect(self) -> http.client.HTTPConnection:
        """A connection that sends files in blocks of a megabyte."""
        return http.client.HTTPConnection(self.host, self.port, timeout=600, blocksize=1 << 20)

    def forget_peak(self) -> int:
        """Resident bytes now; `peak_bytes` counts from here."""
        Path(f"/proc/{self.pid}/clear_refs").write_text(PEAK_RESET)
        return self._status_bytes("VmRSS")

    def peak_bytes(self) -> int:
        """The most that was resident since `forget_peak`."""
        return self._status_bytes("VmHWM")

    def _status_bytes(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        found = next(line for line in lines if line.startswith(f"{name}:"))
        return int(found.split()[1]) * 1024


@contextmanager
def serving(
    words: Sequence[str], *, ready_path: str, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """`python WORDS --fd N` until the block ends, from when `ready_path` answers 200."""
    with listen("127.0.0.1", 0) as listener:
        fd = listener.fileno()
        process = subprocess.Popen(
            tied_argv((sys.executable, *words, "--fd", str(fd))),
            env={**os.environ, **(environment or {})},
            pass_fds=(fd,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        server = Server(*address_of(listener), process.pid)
    try:
        _wait(server, process, ready_path)
        yield server
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _wait(server: Server, process: subprocess.Popen[bytes], path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(server, path):
        if process.poll() is not None or time.monotonic() > deadline:
            raise OperatorError("a server that is to be measured didn't start")
        time.sleep(PAUSE_SECONDS)


def _answers(server: Server, path: str) -> bool:
    connection = server.connect()
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
