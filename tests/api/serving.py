"""The real API over real HTTP, in a thread of the test process."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.patience import ImpatientProtocol
from vision.engine.parts import Engine, database_url, open_engine
from vision.settings import Settings
from vision.storage.database import Database
from vision.storage.migrate import migrate

START_SECONDS = 60.0
PATIENCE_SECONDS = 90.0
"""Far more than is ever needed: a busy machine is no broken program."""


@dataclass(frozen=True)
class Served:
    """A running API, a client for it, and the same parts from the other side."""

    client: httpx.Client
    engine: Engine
    settings: Settings
    app: FastAPI
    port: int


def settings_in(folder: Path, **changes: object) -> Settings:
    """The embedded profile in a folder, with no influence from the environment's files."""
    return Settings(_env_file=None, data_dir=folder, **changes)  # type: ignore[call-arg, arg-type]


@contextmanager
def serving(settings: Settings, *, is_migrated: bool = True) -> Iterator[Served]:
    """Answers when entered; has ended when left."""
    if is_migrated:
        with closing(Database(database_url(settings))) as database:
            migrate(database)
    app = create_app(settings)
    with running(app) as port, open_engine(settings) as engine:
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            yield Served(client, engine, settings, app, port)


@contextmanager
def running(app: FastAPI) -> Iterator[int]:
    """Serves on a free port, which it gives."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        config = uvicorn.Config(app, http=ImpatientProtocol, ws="none", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the server didn't start")
        time.sleep(0.005)


def eventually(holds: Callable[[], bool]) -> None:
    """Fails when it doesn't come true in a time that only a broken program needs."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "didn't come true"
        time.sleep(0.01)
