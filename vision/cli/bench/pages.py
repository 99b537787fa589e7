"""Reading pages of detections out of many: a deep page costs what the first one costs."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select

from vision.cli.bench.measure import Figure, at_most, interleaved
from vision.cli.bench.stored_rows import LABELS, batch, new_job
from vision.domain.stored import DetectionFilter
from vision.storage.database import Database
from vision.storage.detections import NEWEST_CURSOR, DetectionStore
from vision.storage.pages import encode_cursor
from vision.storage.tables import detections

ROWS_PER_UNIT = 20_000
UNITS_PER_JOB = 10
PAGE = 100
DEEP = 0.9
"""How far into the list the deep page lies."""
REPEATS = 20
ROUNDS = 9
TARGET = 1.5


def run(database: Database, *, rows: int, name: str) -> list[Figure]:
    """Fills the database up to `rows` detections, then reads."""
    _fill(database, rows)
    store = DetectionStore(database)
    every = DetectionFilter()
    chosen = {
        "newest first": every,
        "newest of one label": replace(every, label=LABELS[0]),
        "newest of one label, score ≥ 0.5": replace(every, label=LABELS[0], min_score=0.5),
    }
    deep = encode_cursor(NEWEST_CURSOR, _id_at(database, DEEP))
    return [
        _figure(store, wanted, deep, name=f"{what}, {rows:,} detections, {name}")
        for what, wanted in chosen.items()
    ]


def _figure(store: DetectionStore, wanted: DetectionFilter, deep: str, *, name: str) -> Figure:
    seconds = interleaved(
        {
            "first": _repeated(lambda: store.page(wanted, limit=PAGE)),
            "deep": _repeated(lambda: store.page(wanted, limit=PAGE, cursor=deep)),
        },
        rounds=ROUNDS,
    )
    return at_most(
        f"Page at {DEEP:.0%}: {name}",
        ours=f"{seconds['deep'] / REPEATS * 1000:.2f} ms",
        reference=f"first page: {seconds['first'] / REPEATS * 1000:.2f} ms",
        ratio=seconds["deep"] / seconds["first"],
        target=TARGET,
    )


def _repeated(read: Callable[[], object]) -> Callable[[], object]:
    return lambda: [read() for _ in range(REPEATS)]


def _fill(database: Database, rows: int) -> None:
    some = batch(ROWS_PER_UNIT)
    job: UUID | None = None
    for unit in range(rows // some.rows):
        if job is None or unit % UNITS_PER_JOB == 0:
            job = new_job(database)
        with database.begin() as connection:
            some.insert(database, connection, job=job, chunk=unit % UNITS_PER_JOB)
    if database.is_postgresql:
        # What autovacuum does within a minute anyway.
        with database.begin() as connection:
            connection.exec_driver_sql("analyze detections")


def _id_at(database: Database, share: float) -> int:
    """The id that lies at this share of the newest-first list."""
    with database.read() as connection:
        ids = connection.execute(select(detections.c.id).order_by(detections.c.id)).scalars().all()
    return int(ids[int(len(ids) * (1 - share))])
