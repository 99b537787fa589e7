"""A service of the demo's own: started, waited for, ended."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rich.console import Console

from vision.cli.service.announcement import SERVICE_FILE
from vision.cli.service.data_folder import held
from vision.cli.service.part import tied_argv
from vision.errors import OperatorError

START_SECONDS = 180.0
"""A first import of torch from a cold disk takes a minute on a small machine."""
STOP_SECONDS = 60.0
POLL_SECONDS = 0.2
LAST_LINES = 10


@contextmanager
def running_service(out_dir: Path, console: Console) -> Iterator[str]:
    """Its URL, on a free port and an empty data folder. Raises OperatorError.

    Also when it doesn't end cleanly; its logs are in `out_dir`/data/logs.
    """
    data_dir = out_dir / "data"
    with held(data_dir):
        pass  # another demo's service is not pulled away from under it
    shutil.rmtree(out_dir)
    data_dir.mkdir(parents=True)
    words = out_dir / "service.log"
    with words.open("wb") as log, _started(data_dir, log) as process:
        try:
            with console.status("starting the service"):
                url = _url(process, data_dir, words)
            yield url
        finally:
            code = _stop(process)
    if code:
        raise _failure(f"the service ended with {code}", data_dir, words)


def _started(data_dir: Path, log: BinaryIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        _argv(), cwd=data_dir, env=_environment(), stdout=log, stderr=subprocess.STDOUT
    )


def _argv() -> list[str]:
    up = ("up", "--host", "127.0.0.1", "--port", "0", "--data-dir", ".", "--quiet")
    return tied_argv((sys.executable, "-m", "vision.cli.main", *up))


def _environment() -> dict[str, str]:
    """Without settings: the demo must not write into a database that someone uses."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VISION_")}


def _url(process: subprocess.Popen[bytes], data_dir: Path, words: Path) -> str:
    announced = data_dir / "run" / SERVICE_FILE
    deadline = time.monotonic() + START_SECONDS
    while not announced.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise _failure("the service doesn't start", data_dir, words)
        time.sleep(POLL_SECONDS)
    return str(json.loads(announced.read_text())["url"])


def _stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _failure(what: str, data_dir: Path, words: Path) -> OperatorError:
    """With the service's own last words."""
    last = "\n".join(words.read_text(errors="replace").splitlines()[-LAST_LINES:])
    return OperatorError(f"{what}; the logs of its parts are in {data_dir / 'logs'}\n{last}")
