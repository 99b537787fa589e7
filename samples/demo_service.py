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

from rich.console import Console

from vision.cli.service.announcement import SERVICE_FILE
from vision.cli.service.data_folder import held
from vision.cli.service.part import tied_argv
from vision.errors import OperatorError

START_SECONDS = 180.0
"""A first import of torch from a cold disk takes a minute on a small machine."""
STOP_SECONDS = 60.0
POLL_SECONDS = 0.2


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
    with subprocess.Popen(_argv(), cwd=data_dir, env=_environment()) as process:
        try:
            with console.status("starting the service"):
                url = _url(process, data_dir)
            yield url
        finally:
            code = _stop(process)
    if code:
        raise OperatorError(f"the service ended with {code}; its logs are in {data_dir / 'logs'}")


def _argv() -> list[str]:
    up = ("up", "--host", "127.0.0.1", "--port", "0", "--data-dir", ".", "--quiet")
    return tied_argv((sys.executable, "-m", "vision.cli.main", *up))


def _environment() -> dict[str, str]:
    """Without settings: the demo must not write into a database that someone uses."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VISION_")}


def _url(process: subprocess.Popen[bytes], data_dir: Path) -> str:
    announced = data_dir / "run" / SERVICE_FILE
    deadline = time.monotonic() + START_SECONDS
    while not announced.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise OperatorError(f"the service doesn't start; its logs are in {data_dir / 'logs'}")
        time.sleep(POLL_SECONDS)
    return str(json.loads(announced.read_text())["url"])


def _stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
