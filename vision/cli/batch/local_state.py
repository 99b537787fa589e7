"""What an earlier run has left in the batch's own database."""

from collections.abc import Iterator

from vision.cli.batch.backend import EarlierWork
from vision.cli.batch.permanent import PERMANENT_CODES
from vision.domain.job import DEFAULT_TENANT, Item, Job
from vision.domain.states import ItemState
from vision.errors import Conflict
from vision.storage.jobs import JobStore

PAGE_LIMIT = 1000


def earlier_work(jobs: JobStore, pipeline_sha256: str) -> EarlierWork:
    """Of this pipeline. Open jobs of other pipelines are cancelled; what they stored stays."""
    job_of: dict[str, str] = {}
    settled: set[str] = set()
    open_jobs = []
    # The oldest first: what a later job says of an asset counts.
    for job in reversed(tuple(_jobs(jobs))):
        if job.pipeline_sha256 != pipeline_sha256:
            if not job.state.is_final:
                jobs.cancel(job.id)
            continue
        is_open = not job.state.is_final or _goes_on(jobs, job)
        if is_open:
            open_jobs.append(str(job.id))
        for item in _items(jobs, job):
            if _is_settled(item):
                settled.add(str(item.asset_id))
            elif not is_open:
                continue
            job_of[str(item.asset_id)] = str(job.id)
    return EarlierWork(job_of, frozenset(settled), tuple(open_jobs))


def _goes_on(jobs: JobStore, job: Job) -> bool:
    """Whether chunks of its videos had been given up, which are tried once more from now on."""
    if job.video is None or all(item.state is not ItemState.PARTIAL for item in _items(jobs, job)):
        return False
    try:
        jobs.retry(job.id)
    except Conflict:
        return False  # damaged files: another try would end the same
    return True


def _is_settled(item: Item) -> bool:
    """Whether it has its results, or an error that another try would only repeat."""
    if item.error is not None and item.state is not ItemState.PARTIAL:
        return item.error.code in PERMANENT_CODES
    return item.state in (ItemState.DONE, ItemState.PARTIAL)


def _jobs(jobs: JobStore) -> Iterator[Job]:
    cursor: str | None = None
    while True:
        page = jobs.page(DEFAULT_TENANT, limit=PAGE_LIMIT, cursor=cursor)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return


def _items(jobs: JobStore, job: Job) -> Iterator[Item]:
    cursor: str | None = None
    while True:
        page = jobs.items(job.id, limit=PAGE_LIMIT, cursor=cursor)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return
