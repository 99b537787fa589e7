"""No statement that runs often reads a whole table: each is explained on both databases."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text
from storage_service import NO_LEASE_SECONDS, Service, result_of

from vision.domain.states import JobState
from vision.domain.stored import DetectionFilter
from vision.storage.database import Database

Statement = tuple[str, Any]

# Tenants are few; a claim looks at each. The other tables grow.
# An index over few rows only, such as of ready units, may be read whole.
WHOLE_TABLE = re.compile(
    r"(SCAN|Seq Scan on) (assets|jobs|items|units|detections|job_counts|provenances)\b"
    r"(?! USING (COVERING )?INDEX (units|jobs)_)"
)


def _work(service: Service) -> None:
    """Every transition of a unit."""
    for number in range(5):
        service.job(1, prefix=f"small {number}", priority=1)
    leases = service.claim(seconds=NO_LEASE_SECONDS)
    assert len(leases) == 5
    service.units.heartbeat(leases, lease_seconds=60)
    service.units.commit(result_of(leases[0]))
    service.units.release(service.claim_one())
    service.units.fail(service.claim_one(), "x", "", retryable=True)


def _tick(service: Service) -> None:
    service.claim(seconds=NO_LEASE_SECONDS)
    service.units.reap()
    service.units.finish_stale_jobs()
    service.units.ready_count()
    service.jobs.active_summary()
    service.jobs.finish_erasures()
    service.assets.doomed()


def _submit(service: Service) -> None:
    service.job(3, key="k", tags=("t",))
    service.job(3, key="k")


def _look(service: Service) -> None:
    job = service.jobs.page("default", limit=2).items[0]
    service.jobs.page("default", limit=2, state=JobState.QUEUED)
    service.jobs.page("default", limit=2, tag="t")
    service.jobs.get(job.id)
    asset = service.jobs.items(job.id, limit=2).items[0].asset_id
    service.jobs.item(job.id, asset)
    service.assets.page("default", limit=2, tag="t")
    service.assets.unreferenced(["a", "b"])
    service.detections.counts(job.id)
    service.detections.page(DetectionFilter(job_id=job.id, label="dog"), limit=2)
    service.detections.page(DetectionFilter(asset_id=asset), limit=2)
    service.detections.page(DetectionFilter(tag="t"), limit=100)
    service.detections.page(DetectionFilter(), limit=100)


def _change(service: Service) -> None:
    first, second, *_ = service.jobs.page("default", limit=3).items
    service.jobs.cancel(first.id)
    asset_id = service.jobs.items(second.id, limit=1).items[0].asset_id
    service.assets.delete(asset_id)
    service.jobs.delete(second.id)


@pytest.mark.parametrize("act", [_work, _tick, _submit, _look, _change])
def test_no_statement_reads_a_whole_table(service: Service, act: Callable[[Service], None]) -> None:
    service.job(96, tags=("t",), prefix="a")
    service.units.commit(result_of(service.claim_one()))
    service.job(64, tags=("t",), prefix="b")

    with _remembered(service.database) as statements:
        act(service)

    scans = {
        f"{found.group(0)}: {statement}"
        for statement, parameters in statements
        for found in WHOLE_TABLE.finditer(_plan(service.database, statement, parameters))
    }
    assert statements
    assert scans == set()


@contextmanager
def _remembered(database: Database) -> Iterator[list[Statement]]:
    statements: list[Statement] = []

    def remember(_c: Any, _k: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        if statement.lower().startswith(("select", "update", "delete")):
            statements.append((statement, parameters[0] if many else parameters))

    event.listen(database.engine, "before_cursor_execute", remember)
    yield statements
    event.remove(database.engine, "before_cursor_execute", remember)


def _plan(database: Database, statement: str, parameters: Any) -> str:
    prefix = "explain" if database.is_postgresql else "explain query plan"
    with database.read() as connection:
        if database.is_postgresql:
            # A table of a hundred rows is read whole, whatever its indexes are.
            connection.execute(text("set local enable_seqscan = off"))
        rows = connection.exec_driver_sql(f"{prefix} {statement}", parameters).all()
    return "\n".join(str(row[-1]) for row in rows)
