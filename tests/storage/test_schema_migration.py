"""The schema: made by Alembic, equal to the tables in the code, safe to make twice at once."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from databases import PostgresServer
from sqlalchemy import inspect, text
from storage_service import FACTS, Service, result_of
from uuid6 import uuid7
from video_service import VideoService, chunk_of

from vision.domain.states import JobState, UnitKind
from vision.domain.stored import DetectionFilter
from vision.errors import InvalidRequest, StorageUnavailable
from vision.storage.database import Database
from vision.storage.migrate import config, is_current, migrate
from vision.storage.rows import facts_to_json
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


def test_rows_of_the_first_revision_live_on_after_the_upgrade(empty_url: str) -> None:
    """A job of 0001 half way: one unit done, one leased, one ready, one image failed."""
    with closing(Database(empty_url)) as database:
        with database.begin() as connection:
            command.upgrade(config(connection), "0001")
        _fill_first_revision(database)

        migrate(database)

        service = Service.over(database)
        (job,) = service.jobs.page("default", limit=9).items
        before = [item.state for item in service.jobs.items(job.id, limit=9).items]
        assert service.units.reap() == 1
        service.work()
        after = [item.state for item in service.jobs.items(job.id, limit=9).items]
        rows = list(service.detections.stream(DetectionFilter(job_id=job.id)))
        assert (job.items_done, job.video) == (1, None)
        assert before == ["done", "failed", "pending", "pending"]
        assert after == ["done", "failed", "done", "done"]
        assert [row.label for row in rows] == ["old", "dog", "car", "dog", "car"]
        assert (rows[0].track_id, rows[0].score) == (None, 0.5)
        assert service.jobs.get(job.id).state == JobState.PARTIAL


def test_rows_survive_the_way_back_to_the_first_revision_and_forth(empty_url: str) -> None:
    with closing(Database(empty_url)) as database:
        migrate(database)
        videos = VideoService.over(database)
        images, film = videos.job(3), videos.video_job(2)
        videos.units.commit(result_of(videos.claim_one()))
        (lease,) = videos.probed(1)
        videos.units.commit(chunk_of(lease, damage="broken"))
        videos.units.commit(videos.tracked(videos.claim_kind(UnitKind.TRACK)))

        with database.begin() as connection:
            command.downgrade(config(connection), "0001")
        migrate(database)

        states = [item.state for item in videos.jobs.items(film.id, limit=9).items]
        assert (videos.rows(images.id), videos.rows(film.id)) == (6, 10)
        assert states == ["done", "pending"]
        assert videos.units.finish_stale_jobs() == 1
        assert videos.jobs.get(images.id).state == JobState.SUCCEEDED


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


def test_connections_that_open_a_new_file_at_once_all_get_it(tmp_path: Path) -> None:
    """SQLite doesn't wait by itself when two switch one file to WAL."""
    together = Barrier(4)

    def write(number: int) -> None:
        for turn in range(40):
            with closing(Database(f"sqlite:///{tmp_path / str(turn)}.sqlite")) as database:
                together.wait(60)
                with database.begin() as connection:
                    connection.execute(text(f"create table mine_{number} (id int)"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))

    assert len(list(tmp_path.glob("*.sqlite"))) == 40


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


def _fill_first_revision(database: Database) -> None:
    """Only columns that revision 0001 has: the insert names no others."""
    job_id, assets = uuid7(), [uuid7() for _ in range(4)]
    facts = {**facts_to_json(FACTS)}

    def add(table: str, **values: object) -> None:
        connection.execute(metadata.tables[table].insert().values(values))

    with database.begin() as connection:
        add("tenants", id="default")
        for number, asset in enumerate(assets):
            name = f"{number}" * 64
            place = {"sha256": name, "size_bytes": 1, "filename": "a", "blob_key": name}
            add("assets", id=asset, tenant="default", facts=facts, tags=[], created_at=1.0, **place)
        asked = {"pipeline": {"detect": {}}, "pipeline_sha256": "0" * 64, "request_sha256": ""}
        counters = {"items_total": 4, "items_done": 1, "items_failed": 1, "run": 1}
        state = {"state": "running", "created_at": 1.0, "started_at": 2.0, "erasing": False}
        owner = {"tenant": "default", "priority": 0}
        add("jobs", id=job_id, tags=[], **owner, **asked, **counters, **state)
        for number, one in enumerate(("done", "failed", "pending", "pending")):
            place = {"item": number, "asset_id": assets[number], "state": one}
            found = {"detections": int(number == 0), "counts": {}}
            add("items", job_id=job_id, facts=facts, **place, **found)
        for number, one in enumerate(("done", "failed", "leased", "ready")):
            lease = {"lease_owner": "gone", "lease_until": 3.0} if one == "leased" else {}
            place = {"item": number, "chunk": 0, "span": 1, "state": one, **lease}
            add("units", job_id=job_id, attempt=1, fails=0, not_before=1.0, **owner, **place)
        box = {"x1": 1.0, "y1": 1.0, "x2": 2.0, "y2": 2.0}
        place = {"item": 0, "chunk": 0, "ord": 0, "id": 1, "class_id": 1, "score": 0.5}
        add("detections", job_id=job_id, tenant="default", label="old", **place, **box)


def _work_on_a_killed_connection(database: Database, other: Database) -> None:
    with database.begin() as connection:
        mine = connection.execute(text("select pg_backend_pid()")).scalar_one()
        with other.begin() as enemy:
            enemy.execute(text(f"select pg_terminate_backend({mine})"))
        connection.execute(text("select 1"))


def _migrate(url: str) -> None:
    with closing(Database(url)) as database:
        migrate(database)
