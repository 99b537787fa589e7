"""How much was found: of which label, and when in the videos."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query

from api.schemas.base import PageAnswer
from api.schemas.counts import CountAnswer, CountsQuestion
from api.services import Given, Services, Tenant
from vision.domain.job import Job
from vision.domain.stored import LabelCount
from vision.errors import FieldError, InvalidRequest, NotFound

router = APIRouter(prefix="/v1", tags=["results"])

MAX_BUCKETS: Final = 100_000
"""A day in seconds fits."""


@router.get("/jobs/{job_id:uuid}/counts")
def count_job_detections(
    job_id: UUID, services: Given, tenant: Tenant, question: Annotated[CountsQuestion, Query()]
) -> PageAnswer[CountAnswer]:
    """Most frequent first; with `bucket_seconds` in order of time, pictures at the end.

    A bucket without detections has no row. All of it is one page.
    """
    job = services.engine.jobs.get(job_id, tenant)
    labels = _label_counts(services, job, question)
    if question.bucket_seconds is None or job.video is None:
        counts = tuple(CountAnswer.of_label(count) for count in labels)
    else:
        _require_sensible(job.video.seconds_total, question.bucket_seconds)
        counts = _bucket_counts(services, job, question, labels=labels)
    return PageAnswer(items=counts, next=None)


def _label_counts(services: Services, job: Job, question: CountsQuestion) -> tuple[LabelCount, ...]:
    engine = services.engine
    if question.asset_id is None:
        counts = engine.detections.counts(job.id, job.tenant)
    else:
        counts = _item_counts(services, job, question.asset_id)
    return tuple(one for one in counts if question.label in (None, one.label))


def _item_counts(services: Services, job: Job, asset_id: UUID) -> tuple[LabelCount, ...]:
    """Empty for an asset that isn't in the job, as every filter that fits nothing."""
    try:
        item = services.engine.jobs.item(job.id, asset_id, job.tenant)
    except NotFound:
        return ()
    frequent_first = sorted(item.counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(LabelCount(label, number, 1) for label, number in frequent_first)


def _bucket_counts(
    services: Services, job: Job, question: CountsQuestion, *, labels: tuple[LabelCount, ...]
) -> tuple[CountAnswer, ...]:
    assert question.bucket_seconds is not None
    found = services.engine.detections.bucket_counts(
        job.id,
        job.tenant,
        bucket_seconds=question.bucket_seconds,
        asset_id=question.asset_id,
        label=question.label,
    )
    timed = tuple(CountAnswer.of_bucket(count) for count in found)
    return timed + tuple(_without_time(labels, timed))


def _without_time(
    labels: tuple[LabelCount, ...], timed: tuple[CountAnswer, ...]
) -> Iterator[CountAnswer]:
    """The rest, which is in pictures. Labels were counted before: the rest is never too much."""
    in_buckets: Counter[str] = Counter()
    for one in timed:
        in_buckets[one.label] += one.detections
    for each in labels:
        rest = each.detections - in_buckets[each.label]
        if rest > 0:
            yield CountAnswer(label=each.label, detections=rest)


def _require_sensible(seconds: float, bucket_seconds: float) -> None:
    if seconds / bucket_seconds > MAX_BUCKETS:
        detail = f"{seconds:.0f} s would make more than {MAX_BUCKETS} buckets: take larger ones"
        raise InvalidRequest("the request is not valid", (FieldError("bucket_seconds", detail),))
