"""Pytest plugin: every test that asks for `database` runs on real SQLite and real PostgreSQL.

Fixtures: `database` (migrated, fresh, open), `database_url` (the same by its URL), both over both
databases; `sqlite_url` and `postgresql_url` for tests about one of them. The PostgreSQL server is
a private one on a Unix socket, started once per test process and gone with it.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
import pytest

from vision.storage.database import Database
from vision.storage.migrate import migrate

DEBIAN_BINARIES = Path("/usr/lib/postgresql")
START_SECONDS = 60
UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root; so then it runs as this user."""
TEMPLATE = "vision_template"
PR_SET_PDEATHSIG = 1
_numbers = count(1)


@dataclass(frozen=True)
class PostgresServer:
    """A running server without TCP."""

    folder: Path
    process: subprocess.Popen[bytes]

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """One statement of administration, outside any transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One per test process (so one per xdist worker), with the template database in it."""
    with running_postgres() as server:
        server.execute(f"create database {TEMPLATE}")
        with closing(Database(server.url(TEMPLATE))) as database:
            migrate(database)
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("template") / "state.sqlite"
    with closing(Database(f"sqlite:///{path}")) as database:
        migrate(database)
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite file."""
    shutil.copyfile(sqlite_template, tmp_path / "state.sqlite")
    return f"sqlite:///{tmp_path / 'state.sqlite'}"


@pytest.fixture
def postgresql_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh, migrated PostgreSQL database."""
    name = f"test_{next(_numbers)}"
    postgres_server.execute(f"create database {name} template {TEMPLATE}")
    yield postgres_server.url(name)
    postgres_server.execute(f"drop database {name} with (force)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The same, open; closed after the test."""
    with closing(Database(database_url)) as opened:
        yield opened


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A new server in a temporary folder; `durable` syncs to disk as production does."""
    # Directly under the temporary folder: a socket's path has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="vision-pg-"))
    try:
        shutil.chown(folder, user=_user())
        binaries = _binaries()
        _initialise(binaries, folder)
        process = _start(binaries, folder, durable=durable)
        try:
            yield _ready(PostgresServer(folder, process))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(START_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _initialise(binaries: Path, folder: Path) -> None:
    arguments = ["-D", str(folder / "data"), "-U", "postgres", "-E", "UTF8", "--no-locale"]
    subprocess.run(
        [binaries / "initdb", *arguments, "--auth=trust", "--no-sync"],
        check=True,
        user=_user(),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        timeout=START_SECONDS,
    )


def _start(binaries: Path, folder: Path, *, durable: bool) -> subprocess.Popen[bytes]:
    settings = ["listen_addresses=", f"unix_socket_directories={folder}", "max_connections=200"]
    if not durable:
        settings += ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
    options = [word for setting in settings for word in ("-c", setting)]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            user=_user(),
            cwd=folder,
            preexec_fn=_die_with_parent,
        )


def _ready(server: PostgresServer) -> PostgresServer:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.execute("select 1")
            return server
        except psycopg.OperationalError as error:
            if server.process.poll() is not None or time.monotonic() > deadline:
                log = (server.folder / "log").read_text()
                raise RuntimeError(f"PostgreSQL didn't start:\n{log}") from error
            time.sleep(0.05)


def _binaries() -> Path:
    """The folder of a PostgreSQL that the test's user can run; pgserver's wheel brings one."""
    for folder in _candidates():
        if (folder / "initdb").is_file() and _runs(folder / "postgres"):
            return folder
    pytest.skip("no PostgreSQL here: install the package pgserver, or PostgreSQL itself")


def _candidates() -> Iterator[Path]:
    found = find_spec("pgserver")
    if found is not None and found.origin is not None:
        yield Path(found.origin).parent / "pginstall" / "bin"
    if DEBIAN_BINARIES.is_dir():
        yield from sorted((one / "bin" for one in DEBIAN_BINARIES.iterdir()), reverse=True)
    on_path = shutil.which("initdb")
    if on_path is not None:
        yield Path(on_path).resolve().parent


def _runs(program: Path) -> bool:
    try:
        done = subprocess.run([program, "--version"], user=_user(), cwd="/", capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def _user() -> str | int:
    return UNPRIVILEGED if os.geteuid() == 0 else os.geteuid()


_libc: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl


def _die_with_parent() -> None:
    # However the tests end, SIGKILL included, the server doesn't stay behind.
    _libc(PR_SET_PDEATHSIG, signal.SIGQUIT)
