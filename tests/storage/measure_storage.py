"""Rows per second and page latency, each beside its reference, on SQLite and PostgreSQL.

    python tests/storage/measure_storage.py rows
    python tests/storage/measure_storage.py pages 3000000

Prints one line per figure. PostgreSQL runs durably on its Unix socket, in a temporary folder.
"""

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, insert, select, text
from uuid6 import uuid7

sys.path.insert(0, str(Path(__file__).parents[1]))
from databases import running_postgres
from storage_service import FACTS, PIPELINE_SHA256, Service

from vision.domain.detections import Detections
from vision.domain.mask import RleMask
from vision.domain.stored import DetectionFilter
from vision.storage.bulk import Same, insert_columns
from vision.storage.database import Database
from vision.storage.detection_rows import insert_detections
from vision.storage.detections import JOB_CURSOR, NEWEST_CURSOR
from vision.storage.migrate import migrate
from vision.storage.pages import encode_cursor
from vision.storage.rows import facts_to_json
from vision.storage.tables import assets, detections, items, jobs, tenants

ROWS_PER_CALL = 20_000
ROUNDS = 5
PER_ITEM = 20
ITEMS_PER_JOB = 20
LABELS = ("person", "car", "truck", "dog", "ball", "crate", "cone", "barrel")
MASK = "x" * 180
SAME = {"chunk": 0, "tenant": "default", "provenance_id": None}


def main() -> None:
    if sys.argv[1] == "rows":
        with _databases() as both:
            for name, database in both:
                measure_rows(name, database)
    else:
        with _databases() as both:
            for name, database in both:
                measure_pages(name, database, rows=int(sys.argv[2]))


def measure_rows(name: str, database: Database) -> None:
    """Ours, SQLAlchemy core and the plain driver in turn, into the same table and indexes.

    Ours is timed with the conversion from `Detections`; the others have their rows ready.
    """
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    cpu: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, prepare in WAYS.items():
            write = prepare(database, uuid7())
            started, cpu_started = time.perf_counter(), time.process_time()
            with database.begin() as connection:
                write(connection)
            seconds[way].append(time.perf_counter() - started)
            cpu[way].append(time.process_time() - cpu_started)
    for way in WAYS:
        middle, best_cpu = statistics.median(seconds[way]), statistics.median(cpu[way])
        print(
            f"{name} insert {way}: {ROWS_PER_CALL / middle:,.0f} rows/s wall, "
            f"{ROWS_PER_CALL / best_cpu:,.0f} rows/s client cpu, "
            f"{statistics.median(seconds['core']) / middle:.2f} x core wall, "
            f"{statistics.median(cpu['core']) / best_cpu:.2f} x core cpu",
            flush=True,
        )


def measure_pages(name: str, database: Database, *, rows: int) -> None:
    started = time.perf_counter()
    job_ids = _fill(database, rows)
    print(f"{name}: {rows:,} rows in {time.perf_counter() - started:.0f} s", flush=True)
    service = Service.over(database)
    middle_job = job_ids[len(job_ids) // 2]
    lists = {
        "one job": DetectionFilter(job_id=middle_job),
        "newest": DetectionFilter(),
        "newest, label": DetectionFilter(label="dog"),
        "newest, label, score > 0.9": DetectionFilter(label="dog", min_score=0.9),
        "newest, score > 0.9": DetectionFilter(min_score=0.9),
        "newest, score > 0.999": DetectionFilter(min_score=0.999),
        "newest, score > 1 (none)": DetectionFilter(min_score=1.1),
        "one asset": DetectionFilter(asset_id=_asset_of(database, middle_job)),
    }
    for title, chosen in lists.items():
        deep = _deep_cursor(service, chosen, rows)
        first_ms, deep_ms = _latency(service, chosen, None), _latency(service, chosen, deep)
        print(
            f"{name} {title}: first page {first_ms:.2f} ms, page at 90 % {deep_ms:.2f} ms, "
            f"{deep_ms / first_ms:.2f} x",
            flush=True,
        )


def _latency(service: Service, chosen: DetectionFilter, cursor: str | None) -> float:
    """Milliseconds, median."""
    taken = []
    for _ in range(30):
        started = time.perf_counter()
        service.detections.page(chosen, limit=100, cursor=cursor)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


def _deep_cursor(service: Service, chosen: DetectionFilter, rows: int) -> str | None:
    """Of a place with 90 % of the list before it."""
    if chosen.job_id is not None:
        place = (0, 0, 0) if chosen.asset_id else (ITEMS_PER_JOB * 9 // 10, 0, 0)
        return encode_cursor(JOB_CURSOR, *place)
    query = select(detections.c.id).order_by(detections.c.id.desc())
    with service.database.read() as connection:
        deep = connection.execute(query.offset(rows * 9 // 10).limit(1)).scalar_one()
    return encode_cursor(NEWEST_CURSOR, deep)


def _fill(database: Database, rows: int) -> list[UUID]:
    job_ids: list[UUID] = []
    with database.begin() as connection:
        connection.execute(insert(tenants).values(id="default"))
    while len(job_ids) * PER_ITEM * ITEMS_PER_JOB < rows:
        with database.begin() as connection:
            for _ in range(50):
                job_ids.append(_fill_job(database, connection))
    if database.is_postgresql:
        with database.begin() as connection:
            connection.execute(text("analyze"))
    return job_ids


def _fill_job(database: Database, connection: Connection) -> UUID:
    job_id = uuid7()
    asset_ids = [uuid7() for _ in range(ITEMS_PER_JOB)]
    facts = facts_to_json(FACTS)
    files: dict[str, Any] = {
        "id": asset_ids,
        "tenant": Same("default"),
        "sha256": [one.hex * 2 for one in asset_ids],
        "facts": Same(facts),
        "size_bytes": Same(1),
        "filename": Same("a.jpg"),
        "tags": Same([]),
        "blob_key": [one.hex for one in asset_ids],
        "created_at": Same(0.0),
    }
    insert_columns(connection, assets, files)
    connection.execute(insert(jobs).values(_job_values(job_id)))
    listed: dict[str, Any] = {
        "job_id": Same(job_id),
        "item": range(ITEMS_PER_JOB),
        "asset_id": asset_ids,
        "state": Same("done"),
        "facts": Same(facts),
        "detections": Same(PER_ITEM),
        "counts": Same({}),
    }
    insert_columns(connection, items, listed)
    found = {index: _one(PER_ITEM) for index in range(ITEMS_PER_JOB)}
    insert_detections(database, connection, found, same={**SAME, "job_id": job_id})
    return job_id


def _job_values(job_id: UUID) -> dict[str, Any]:
    return {
        "id": job_id, "tenant": "default", "request_sha256": "", "state": "succeeded",
        "pipeline": {}, "pipeline_sha256": PIPELINE_SHA256, "priority": 0, "tags": [],
        "items_total": ITEMS_PER_JOB, "items_done": ITEMS_PER_JOB, "items_failed": 0, "run": 1,
        "created_at": 0.0, "finished_at": 0.0, "erasing": False,
    }  # fmt: skip


_random = np.random.default_rng(0)


def _one(count: int) -> Detections:
    return Detections(
        boxes=_random.uniform(0, 1000, (count, 4)).astype(np.float32),
        labels=tuple(LABELS[i] for i in _random.integers(0, len(LABELS), count)),
        class_ids=np.zeros(count, np.int64),
        scores=_random.uniform(0, 1, count).astype(np.float32),
        masks=(RleMask(FACTS.size, MASK),) * count,
    )


def _found() -> dict[int, Detections]:
    return {index: _one(PER_ITEM) for index in range(ROWS_PER_CALL // PER_ITEM)}


def _dicts(job_id: UUID) -> list[dict[str, Any]]:
    base = int(time.time() * 1000) << 21
    return [
        {
            "job_id": job_id, "item": item, "ord": number, "id": base + item * PER_ITEM + number,
            "label": one.label, "class_id": one.class_id, "score": one.score,
            **dict(zip(("x1", "y1", "x2", "y2"), one.box, strict=True)),
            "mask": MASK, **SAME,
        }
        for item, found in _found().items()
        for number, one in enumerate(found)
    ]  # fmt: skip


def _ours(database: Database, job_id: UUID) -> "Write":
    found = _found()
    same = {**SAME, "job_id": job_id}
    return lambda connection: insert_detections(database, connection, found, same=same)


def _bulk(database: Database, job_id: UUID) -> "Write":
    rows = _dicts(job_id)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return lambda connection: insert_columns(connection, detections, columns)


def _core(database: Database, job_id: UUID) -> "Write":
    rows = _dicts(job_id)
    return lambda connection: connection.execute(insert(detections), rows)


def _driver(database: Database, job_id: UUID) -> "Write":
    rows = _dicts(job_id)
    names = list(rows[0])
    mark = "%s" if database.is_postgresql else "?"
    marks = ", ".join(repeat(mark, len(names)))
    statement = f"insert into detections ({', '.join(names)}) values ({marks})"
    if not database.is_postgresql:
        rows = [{**row, "job_id": job_id.bytes} for row in rows]
    values = [tuple(row.values()) for row in rows]

    def write(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.cursor().executemany(statement, values)

    return write


Write: TypeAlias = Callable[[Connection], object]
WAYS = {"from Detections": _ours, "bulk": _bulk, "core": _core, "driver": _driver}


def _asset_of(database: Database, job_id: UUID) -> UUID:
    with database.read() as connection:
        query = select(items.c.asset_id).where(items.c.job_id == job_id).limit(1)
        found: UUID = connection.execute(query).scalar_one()
        return found


@contextmanager
def _databases() -> Iterator[list[tuple[str, Database]]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres(durable=True) as server,
        closing(Database(f"sqlite:///{folder}/measure.sqlite")) as lite,
    ):
        server.execute("create database measure")
        with closing(Database(server.url("measure"))) as post:
            for database in (lite, post):
                migrate(database)
            print(f"SQLite {sqlite3.sqlite_version}, {server.url('')[:10]} 16", flush=True)
            yield [("SQLite", lite), ("PostgreSQL", post)]


if __name__ == "__main__":
    main()
