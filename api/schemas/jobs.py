"""Jobs as JSON."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import Field, HttpUrl

from api.schemas.base import Answer, Failure, Moment, PageQuestion, Question, Tag, Tags
from api.schemas.progress import Progress
from vision.domain.job import Job
from vision.domain.states import JobState

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
