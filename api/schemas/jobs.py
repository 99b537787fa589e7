"""Jobs and their items as JSON."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import Field, HttpUrl

from api.schemas.base import Answer, Moment, PageQuestion, Question, Tag, Tags
from vision.domain.job import Item, ItemFailure, Job
from vision.domain.media import MediaKind
from vision.domain.states import ItemState, JobState

MAX_PRIORITY: Final = 100

Priority = Annotated[int, Field(ge=-MAX_PRIORITY, le=MAX_PRIORITY)]
"""Higher goes first."""


class JobFormQuestion(Question):
    """What to run on the files of the same form."""

    pipeline: str | dict[str, Any] = Field(
        description="A name from /v1/pipelines, or a pipeline document.",
        examples=["demo", {"detect": {"model": "demo_maskrcnn", "min_score": 0.5}}],
    )
    tags: Tags = ()
    priority: Priority = 0
    webhook: HttpUrl | None = Field(None, description="Told when the job has ended.")


class JobQuestion(JobFormQuestion):
    """What to run on which assets."""

    asset_ids: tuple[UUID, ...] = Field(min_length=1, description="In the order of the items.")


class JobsQuestion(PageQuestion):
    """Which jobs."""

    state: JobState | None = None
    tag: Tag | None = None


class Failure(Answer):
    """Why there are no results."""

    code: str = Field(description="For programs; stable.", examples=["image_truncated"])
    detail: str = Field(description="For people.")

    @classmethod
    def of(cls, failure: ItemFailure | None) -> Self | None:
        return None if failure is None else cls(code=failure.code, detail=failure.detail)


class Progress(Answer):
    """How far a job is."""

    done: int = Field(description="Items that ended, with results or with an error.")
    total: int
    fraction: float
    eta_seconds: float | None = Field(description="Null until the first item has ended.")

    @classmethod
    def of(cls, job: Job, *, now: float) -> Self:
        ended = job.items_done + job.items_failed
        return cls(
            done=ended,
            total=job.items_total,
            fraction=ended / job.items_total if job.items_total else 1.0,
            eta_seconds=_eta_seconds(job, ended, now=now),
        )


def _eta_seconds(job: Job, ended: int, *, now: float) -> float | None:
    if job.state.is_final:
        return 0.0
    if job.started_at is None or not ended:
        return None
    elapsed = max(0.0, now - job.started_at)
    return round(elapsed / ended * (job.items_total - ended), 3)


class UsedModel(Answer):
    """A model that made results of a job."""

    stage: str = Field(examples=["detect"])
    name: str = Field(examples=["demo_maskrcnn"])
    weights_sha256: str | None = Field(description="Null until a worker has loaded it.")
    parameters: Mapping[str, Any] | None


class JobAnswer(Answer):
    """A job as it stands."""

    id: UUID
    state: JobState
    progress: Progress
    items_failed: int
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    pipeline: Mapping[str, Any] = Field(description="With the defaults filled in.")
    models: tuple[UsedModel, ...]
    provenances: tuple[Mapping[str, Any], ...] = Field(
        description="Every distinct run that contributed; detections name theirs by digest."
    )
    error: Failure | None = Field(description="Set when the job failed as a whole.")
    tags: tuple[str, ...]
    priority: int

    @classmethod
    def of(cls, job: Job, *, now: float) -> Self:
        """`now` in seconds since 1970: for the time left."""
        return cls(
            id=job.id,
            state=job.state,
            progress=Progress.of(job, now=now),
            items_failed=job.items_failed,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            pipeline=job.pipeline,
            models=tuple(_used_models(job)),
            provenances=job.provenances,
            error=Failure.of(job.error),
            tags=job.tags,
            priority=job.priority,
        )


def _used_models(job: Job) -> Iterator[UsedModel]:
    if not job.provenances:
        yield from _asked_models(job.pipeline)
    seen = set()
    for stage in (stage for run in job.provenances for stage in _stages(run)):
        key = (stage["stage"], stage["model"], stage["weights_sha256"], str(stage["parameters"]))
        if key not in seen:
            seen.add(key)
            yield UsedModel(
                stage=stage["stage"],
                name=stage["model"],
                weights_sha256=stage["weights_sha256"],
                parameters=stage["parameters"],
            )


def _stages(run: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from run["stages"]


def _asked_models(pipeline: Mapping[str, Any]) -> Iterator[UsedModel]:
    for stage, asked in pipeline.items():
        if "model" in asked:  # sample and track have none
            yield UsedModel(stage=stage, name=asked["model"], weights_sha256=None, parameters=None)


class ItemAnswer(Answer):
    """One asset in one job. The media facts are those of the upright picture."""

    job_id: UUID
    index: int = Field(description="Position in the job's list of assets, from 0.")
    asset_id: UUID
    filename: str
    state: ItemState
    error: Failure | None
    detections: int
    counts: Mapping[str, int] = Field(description="Detections per label.")
    kind: MediaKind
    media_type: str
    width: int
    height: int
    orientation: int
    duration_seconds: float | None
    average_fps: float | None
    frame_count: int | None
    warnings: tuple[str, ...]
    provenance: str | None = Field(description="Digest of one of the job's provenances.")

    @classmethod
    def of(cls, item: Item) -> Self:
        facts = item.facts
        return cls(
            job_id=item.job_id,
            index=item.index,
            asset_id=item.asset_id,
            filename=item.filename,
            state=item.state,
            error=Failure.of(item.error),
            detections=item.detections,
            counts=item.counts,
            kind=facts.kind,
            media_type=facts.media_type,
            width=facts.size.width,
            height=facts.size.height,
            orientation=facts.orientation,
            duration_seconds=facts.duration_seconds,
            average_fps=facts.average_fps,
            frame_count=facts.frame_count,
            warnings=item.warnings,
            provenance=item.provenance_digest,
        )
