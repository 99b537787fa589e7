"""Many at once: real threads and real processes, killed and stopped where it hurts."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from storage_service import (
    FACTS,
    NO_LEASE_SECONDS,
    PIPELINE,
    PIPELINE_SHA256,
    Service,
    result_of,
    some_detections,
)

from vision.domain.job import Lease, NewAsset, NewJob
from vision.domain.states import JobState
from vision.domain.stored import DetectionFilter
from vision.errors import NotFound
from vision.storage.blobs import new_key
from vision.storage.database import Database

T = TypeVar("T")
HERE = Path(__file__).parent


def _together(count: int, action: Callable[[int], T]) -> list[T]:
    """All start at the same moment."""
    gate = threading.Barrier(count)

    def run(number: int) -> T:
        gate.wait()
        return action(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_hundred_equal_submissions_at_once_are_one_job(service: Service) -> None:
    ids = (service.asset("a").id,)
    new = NewJob(ids, PIPELINE, PIPELINE_SHA256, idempotency_key="k", request_sha256="r")

    answers = _together(100, lambda _: service.jobs.submit(new, max_open_units=9))

    assert len({job.id for job, _ in answers}) == 1
    assert sum(is_new for _, is_new in answers) == 1
    assert service.value("select count(*) from units") == 1


def test_limit_on_open_units_holds_under_parallel_submissions(service: Service) -> None:
    ids = (service.asset("a").id,)

    def submit(_: int) -> bool:
        try:
            service.jobs.submit(NewJob(ids, PIPELINE, PIPELINE_SHA256), max_open_units=7)
        except Exception as error:  # noqa: BLE001 -- counted below
            return type(error).__name__ != "TooBusy"
        return True

    assert sum(_together(20, submit)) == 7


def test_same_bytes_uploaded_by_thirty_at_once_are_one_asset(service: Service) -> None:
    def add(_: int) -> tuple[object, bool]:
        asset, is_new = service.assets.add(
            NewAsset("1" * 64, FACTS, 5, "a.jpg", new_key("default", "1" * 64), tags=("t",))
        )
        return asset.id, is_new

    answers = _together(30, add)

    assert len({asset_id for asset_id, _ in answers}) == 1
    assert sum(is_new for _, is_new in answers) == 1


def test_twelve_claimers_share_the_work_without_overlap(service: Service) -> None:
    for number in range(4):
        service.job(96, tenant=f"tenant {number % 2}", prefix=f"{number}")

    def claim_all(number: int) -> list[tuple[UUID, int]]:
        mine = []
        while leases := service.claim(f"worker {number}"):
            mine += [(lease.job_id, one.index) for lease in leases for one in lease.items]
        return mine

    claimed = Counter(one for mine in _together(12, claim_all) for one in mine)

    assert len(claimed) == 4 * 96
    assert set(claimed.values()) == {1}


def test_last_units_committed_together_end_the_job_exactly_once(service: Service) -> None:
    for _ in range(5):
        job = service.job(4 * 32)
        leases = [service.claim_one() for _ in range(4)]
        _commit_together(service, leases)

        assert service.jobs.get(job.id).state == JobState.SUCCEEDED
        assert service.jobs.get(job.id).items_done == 128
    assert service.value("select count(*) from outbox") == 5


def test_two_owners_of_one_unit_commit_at_once_and_only_the_newer_counts(
    service: Service,
) -> None:
    for number in range(10):
        job = service.job(prefix=f"job {number}")
        old = service.claim_one(seconds=NO_LEASE_SECONDS)
        service.units.reap()
        new = service.claim_one()

        answers = _commit_together(service, [old, new])

        assert answers == [False, True]
        assert service.rows(job.id) == 2


def test_reapers_in_parallel_count_a_failure_once(service: Service) -> None:
    for number in range(8):
        service.job(prefix=f"job {number}", pipeline_sha256=f"{number}" * 64)
    while service.claim(seconds=NO_LEASE_SECONDS):
        pass

    reaped = _together(4, lambda _: service.units.reap())

    assert sum(reaped) == 8
    assert service.value("select max(fails) from units") == 1


def test_cancel_wins_against_claims_and_commits_or_loses_cleanly(service: Service) -> None:
    """Whichever way each race goes: after the cancel nothing is added and nothing is leased."""
    for _ in range(6):
        job = service.job(5 * 32)

        def act(actor: int, job_id: UUID = job.id) -> None:
            if actor == 0:
                service.jobs.cancel(job_id)
                return
            for lease in service.claim(f"worker {actor}"):
                service.units.commit(result_of(lease))

        _together(5, act)
        stored = service.rows(job.id)

        assert service.jobs.get(job.id).state == JobState.CANCELLED
        assert service.claim() == ()
        assert stored == 2 * service.jobs.get(job.id).items_done
    assert service.value("select count(*) from outbox") == 6


def test_erasing_an_asset_during_commits_leaves_no_row_of_it(service: Service) -> None:
    for number in range(5):
        job = service.job(64, prefix="image")
        victim = service.asset(f"image {number}")
        leases = [service.claim_one() for _ in range(2)]

        def act(actor: int, victim_id: UUID = victim.id, held: list[Lease] = leases) -> None:
            if actor == 2:
                service.assets.delete(victim_id)
            else:
                assert service.units.commit(result_of(held[actor]))

        _together(3, act)

        found = service.jobs.get(job.id)
        assert (found.state, found.items_total, found.items_done) == (JobState.SUCCEEDED, 63, 63)
        assert service.rows(job.id) == 126
        assert {one.detections for one in service.detections.counts(job.id)} == {63}


def test_submitting_against_erasing_leaves_a_whole_job_or_none(service: Service) -> None:
    for _ in range(6):
        asset_id = service.asset("a").id
        new = NewJob((asset_id,), PIPELINE, PIPELINE_SHA256)

        def act(actor: int, new: NewJob = new) -> bool:
            try:
                if actor:
                    service.assets.delete(new.asset_ids[0])
                else:
                    service.jobs.submit(new, max_open_units=99)
            except NotFound:
                return False
            return True

        _together(2, act)

        assert service.claim() == ()
    assert service.value("select count(*) from items") == 0


def test_deleting_jobs_while_workers_run_leaves_nothing(service: Service) -> None:
    jobs = [service.job(64, prefix=f"job {number}") for number in range(4)]

    def act(actor: int) -> None:
        if actor < 4:
            service.jobs.delete(jobs[actor].id)
            return
        while leases := service.claim(f"worker {actor}"):
            service.units.heartbeat(leases, lease_seconds=60)
            for lease in leases:
                service.units.commit(result_of(lease))

    _together(7, act)

    left = service.tables_with_rows()
    assert set(left) <= {"assets", "provenances", "tenants"}


def test_zombies_that_wake_after_their_lease_are_refused(database_url: str) -> None:
    """A real process stopped by SIGSTOP past its lease, then continued into its commit."""
    with closing(Database(database_url)) as database:
        service = Service.over(database)
        for number in range(2):
            job = service.job(prefix=f"job {number}")
            zombie = _start("zombie", database_url)
            assert zombie.stdout is not None
            assert zombie.stdout.readline() == "claimed\n"
            os.kill(zombie.pid, signal.SIGSTOP)
            while not service.units.reap():
                time.sleep(0.05)
            if number % 2:
                lease = service.claim_one("heir")
                assert service.units.commit(result_of(lease))
            os.kill(zombie.pid, signal.SIGCONT)
            answer, _ = zombie.communicate(timeout=60)

            assert answer == "False\n"
            service.work()
            labels = [one.label for one in service.detections.stream(_of(job.id))]
            assert labels == ["dog", "car"]


def test_killed_workers_lose_nothing_and_double_nothing(database_url: str) -> None:
    """Five processes, one after the other, each killed by SIGKILL with work in its hands."""
    with closing(Database(database_url)) as database:
        service = Service.over(database)
        job = service.job(200)
        for _ in range(5):
            worker = _start("worker", database_url)
            assert worker.stdout is not None
            assert worker.stdout.readline() == "claimed\n"
            worker.kill()
            worker.communicate()
        while service.jobs.get(job.id).state == JobState.RUNNING:
            service.units.reap(max_fails=1000)
            service.work()

        done = service.jobs.get(job.id)
        per_item = Counter(one.item for one in service.detections.stream(_of(job.id)))
        assert (done.state, done.items_done) == (JobState.SUCCEEDED, 200)
        assert set(per_item.values()) == {2}
        assert len(per_item) == 200
        assert service.value("select count(*) from outbox") == 1


def _commit_together(service: Service, leases: list[Lease]) -> list[bool]:
    return _together(len(leases), lambda i: service.units.commit(result_of(leases[i])))


def _of(job_id: UUID) -> DetectionFilter:
    return DetectionFilter(job_id=job_id)


def _start(role: str, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, role, url], stdout=subprocess.PIPE, text=True, cwd=HERE
    )


def _zombie(service: Service) -> None:
    lease = service.claim_one("zombie", seconds=0.3)
    print("claimed", flush=True)
    time.sleep(0.5)
    late = some_detections(("ghost",))
    print(service.units.commit(result_of(lease, found=late)), flush=True)


def _worker(service: Service) -> None:
    while True:
        service.units.reap(max_fails=1000)
        leases = service.claim(f"worker {os.getpid()}", seconds=0.5)
        for lease in leases:
            print("claimed", flush=True)
            service.units.commit(result_of(lease))


if __name__ == "__main__":
    ROLES = {"zombie": _zombie, "worker": _worker}
    with closing(Database(sys.argv[2])) as opened:
        ROLES[sys.argv[1]](Service.over(opened))
