"""Counts as JSON."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, Question
from api.schemas.detections import Label
from vision.domain.stored import BucketCount, LabelCount


class CountsQuestion(Question):
    """How to sum up what."""

    group_by: Literal["label"] = "label"
    bucket_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="Of video time: a row per label and stretch. Pictures have no time."
    )
    asset_id: UUID | None = None
    label: Label | None = None


class CountAnswer(Answer):
    """One group of a job's detections."""

    label: str
    bucket_start_seconds: float | None = Field(None, description="Null without buckets.")
    bucket_end_seconds: float | None = Field(None, description="Exclusive.")
    detections: int
    items: int | None = Field(None, description="Items with at least one; null in a bucket.")
    tracks: int | None = Field(None, description="Distinct ones in a bucket.")
    frames: int | None = Field(
        None,
        description="Analyzed frames in a bucket, with or without detections: the mean number in "
        "a frame is detections / frames.",
    )

    @classmethod
    def of_label(cls, count: LabelCount) -> Self:
        return cls(label=count.label, detections=count.detections, items=count.items)

    @classmethod
    def of_bucket(cls, count: BucketCount) -> Self:
        return cls(
            label=count.label,
            bucket_start_seconds=count.from_seconds,
            bucket_end_seconds=count.to_seconds,
            detections=count.detections,
            tracks=count.tracks,
            frames=count.frames,
        )
