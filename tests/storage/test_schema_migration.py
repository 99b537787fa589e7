"""The schema: made by Alembic, equal to the tables in the code, safe to make twice at once."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from databases import PostgresServer
from sqlalchemy import inspect, text

from vision.errors import InvalidRequest, StorageUnavailable
from vision.storage.database import Database
from vision.storage.migrate import config, is_current, migrate
from vision.storage.tables import metadata
from vision.storage.video_tables import ITEM_TABLES


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    server.execute("drop database if exists empty with (force)")
    server.execute("create database empty")
    return server.url("empty")


def test_migrated_schema_is_the_one_in_the_code(database: Database) -> None:
    with database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert differences == []


def test_tables_of_videos_are_in_the_code_that_is_compared() -> None:
    assert {table.name for table in ITEM_TABLES} <= set(metadata.tables)


def test_partial_indexes_have_their_conditions(database: Database) -> None:
    with database.read() as connection:
        found = {one["name"]: one for one in inspect(connection).get_indexes("units")}

    ready = found["units_ready"]["dialect_options"]
    assert "ready" in str(ready.get("sqlite_where", ready.get("postgresql_where")))


def test_empty_database_is_not_current_until_migrated(empty_url: str) -> None:
    with closing(Database(empty_url)) as database:
        before = is_current(database)
        migrate(database)

        assert (before, is_current(database)) == (False, True)


def test_migrating_twice_changes_nothing(database: Database) -> None:
    migrate(database)

    assert is_current(database)


def test_downgrade_leaves_nothing_and_upgrade_brings_it_back(database: Database) -> None:
    with database.begin() as connection:
        command.downgrade(config(connection), "base")
        left = set(inspect(connection).get_table_names()) - {"alembic_version"}
    migrate(database)

    assert left == set()
    assert is_current(database)


def test_three_processes_migrate_one_empty_database_at_once(empty_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_migrate, args=(empty_url,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    with closing(Database(empty_url)) as database:
        assert is_current(database)


def test_sqlite_is_in_wal_mode_and_syncs_every_commit(sqlite_url: str) -> None:
    with closing(Database(sqlite_url)) as database, database.read() as connection:
        modes = [
            connection.execute(text(f"pragma {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    assert modes == ["wal", 2, 1, 20_000]


def test_check_passes_on_a_writable_database_and_leaves_no_trace(database: Database) -> None:
    database.check()

    with database.read() as connection:
        assert connection.execute(text("select count(*) from tenants")).scalar_one() == 0


def test_check_says_that_a_missing_server_does_not_answer(tmp_path: Path) -> None:
    database = Database(f"postgresql://nobody@/nothing?host={tmp_path}")

    with pytest.raises(StorageUnavailable):
        database.check()


def test_lost_connection_is_a_temporary_error_and_the_next_call_works(
    postgresql_url: str,
) -> None:
    with closing(Database(postgresql_url)) as database, closing(Database(postgresql_url)) as other:
        with pytest.raises(StorageUnavailable):
            _work_on_a_killed_connection(database, other)

        database.check()


def test_writers_wait_for_each_other_on_sqlite(sqlite_url: str) -> None:
    with closing(Database(sqlite_url)) as database, ThreadPoolExecutor(8) as pool:

        def write(number: int) -> None:
            with database.begin() as connection:
                connection.execute(text(f"insert into tenants values ('{number}')"))

        list(pool.map(write, range(64)))

        with database.read() as connection:
            assert connection.execute(text("select count(*) from tenants")).scalar_one() == 64


def test_other_databases_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="mysql"):
        Database("mysql://localhost/vision")


def _work_on_a_killed_connection(database: Database, other: Database) -> None:
    with database.begin() as connection:
        mine = connection.execute(text("select pg_backend_pid()")).scalar_one()
        with other.begin() as enemy:
            enemy.execute(text(f"select pg_terminate_backend({mine})"))
        connection.execute(text("select 1"))


def _migrate(url: str) -> None:
    with closing(Database(url)) as database:
        migrate(database)
