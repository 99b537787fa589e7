"""One database, SQLite or PostgreSQL: connections, transactions, the clock, errors."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.types import Double

from vision.errors import InvalidRequest, StorageFull, StorageUnavailable
from vision.storage.tables import tenants

BUSY_SECONDS = 20
"""How long SQLite waits for another writer."""
SWITCH_PAUSE_SECONDS = 0.01
STATEMENT_SECONDS = 60
LOCK_SECONDS = 20
IDLE_IN_TRANSACTION_SECONDS = 60
CONNECT_SECONDS = 5
POOL_SIZE = 10
WRITE_OPTION = "vision_write"

POSTGRESQL_NOW = "extract(epoch from clock_timestamp())::float8"
# Not unixepoch('subsec'): that is NULL, silently, before SQLite 3.42.
SQLITE_NOW = "((julianday('now') - 2440587.5) * 86400.0)"


class Database:
    """Thread-safe. Times are seconds since 1970 by the database's clock: workers' clocks lie."""

    def __init__(self, url: str) -> None:
        """`sqlite:///PATH` or `postgresql://…`, else InvalidRequest. Connects lazily."""
        address = _parse(url)
        self.is_postgresql = address.get_backend_name() == "postgresql"
        self.engine = _postgresql(address) if self.is_postgresql else _sqlite(address)
        self.now_sql: ColumnElement[float] = literal_column(
            POSTGRESQL_NOW if self.is_postgresql else SQLITE_NOW, Double
        )
        """The moment of execution, as an expression for statements."""

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A write transaction: commits at the end, rolls back on any error.

        On SQLite it holds the one write lock from its first line (BEGIN IMMEDIATE).
        Raises StorageUnavailable or StorageFull for what the database can't do now.
        """
        with _translated(), self.engine.connect() as connection:
            connection.execution_options(**{WRITE_OPTION: True})
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises StorageUnavailable."""
        with _translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An insert that can say what happens on a conflict."""
        return postgresql.insert(table) if self.is_postgresql else sqlite.insert(table)

    def now(self) -> float:
        """The database's clock."""
        with self.read() as connection:
            return float(connection.execute(select(self.now_sql)).scalar_one())

    def check(self) -> None:
        """Raises StorageUnavailable unless a row can be written; it is rolled back."""
        with _translated(), self.engine.connect() as connection:
            connection.execution_options(**{WRITE_OPTION: True})
            connection.execute(insert(tenants).values(id=f"check-{uuid4()}"))
            connection.rollback()

    def close(self) -> None:
        """Closes idle connections; the object opens new ones when used again."""
        self.engine.dispose()


def _parse(url: str) -> URL:
    try:
        address = make_url(url.replace("postgres://", "postgresql://", 1))
    except ArgumentError as error:
        raise InvalidRequest("the database URL is not a URL") from error
    if address.get_backend_name() == "sqlite":
        return address.set(drivername="sqlite")
    if address.get_backend_name() == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    raise InvalidRequest(f"the database is sqlite or postgresql, not {address.get_backend_name()}")


def _postgresql(address: URL) -> Engine:
    options = (
        f"-c statement_timeout={STATEMENT_SECONDS * 1000} -c lock_timeout={LOCK_SECONDS * 1000}"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS * 1000}"
    )
    arguments: dict[str, Any] = {
        "options": options,
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "vision",
        # A peer that vanished without a word is noticed in seconds, not hours.
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    return create_engine(
        address,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_pre_ping=True,
        connect_args=arguments,
    )


def _sqlite(address: URL) -> Engine:
    engine = create_engine(
        address, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours: the driver's own comes too late
    connection.execute(f"pragma busy_timeout={BUSY_SECONDS * 1000}")
    _switch_to_wal(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"pragma {pragma}")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Waits for whoever switches the same new file: here SQLite itself doesn't.

    It refuses at once to turn a read lock into the exclusive one, since two that wait for each
    other would never end (https://sqlite.org/c3ref/busy_handler.html).
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("pragma journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(SWITCH_PAUSE_SECONDS)


def _begin_sqlite(connection: Connection) -> None:
    is_write = connection.get_execution_options().get(WRITE_OPTION, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DataError, UnicodeEncodeError, OverflowError) as error:
        # A NUL in a text, a number beyond 64 bits: values from outside that no column can hold.
        raise InvalidRequest("a value can't be stored or searched for") from error
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        if _is_full(error):
            raise StorageFull("the database's disk is full") from error
        raise StorageUnavailable(f"the database can't be used: {_first_line(error)}") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StorageUnavailable("the connection to the database was lost") from error
        raise


def _is_full(error: Exception) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return "disk is full" in str(cause) or getattr(cause, "sqlstate", None) == "53100"


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).partition("\n")[0]
