"""Detections as JSON. Questions and the documented shape are schemas; the rows themselves are
written without them, because there may be millions."""

from dataclasses import replace
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from api.schemas.base import Answer, Line, Moment, PageQuestion, Tag
from api.schemas.words import split_by_commas
from vision.domain.stored import DetectionFilter

MAX_INTEGER: Final = 2**63 - 1
"""The largest that a database holds."""
Score = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]
"""A place in a video. Its clock may begin below zero."""
Label = Annotated[Line, Field(max_length=200)]
TrackId = Annotated[int, Field(ge=0, le=MAX_INTEGER)]


Extra = Literal["mask", "keypoints", "embedding"]
Include = Annotated[tuple[Extra, ...], split_by_commas()]


class JobDetectionsQuestion(PageQuestion):
    """Which detections of one job."""

    label: Label | None = None
    min_score: Score | None = Field(
        None, description="Masks that no detector named have no score and don't pass."
    )
    asset_id: UUID | None = None
    track_id: TrackId | None = None
    frame_index: int | None = Field(None, ge=0, le=MAX_INTEGER)
    from_seconds: Seconds | None = Field(None, description="Place in the video, inclusive.")
    to_seconds: Seconds | None = Field(None, description="Place in the video, exclusive.")
    include: Include = Field(
        (),
        description="`mask`, `keypoints`, `embedding` or several of them, separated by a comma: "
        "they are large.",
    )

    def chosen(self, tenant: str, job_id: UUID | None = None) -> DetectionFilter:
        return DetectionFilter(
            tenant=tenant,
            job_id=job_id,
            asset_id=self.asset_id,
            label=self.label,
            min_score=self.min_score,
            track_id=self.track_id,
            frame_index=self.frame_index,
            from_seconds=self.from_seconds,
            to_seconds=self.to_seconds,
        )


class DetectionsQuestion(JobDetectionsQuestion):
    """Which detections of all jobs."""

    job_id: UUID | None = None
    tag: Tag | None = Field(None, description="A tag of the job.")
    since: AwareDatetime | None = Field(None, description="Stored at or after.")
    until: AwareDatetime | None = Field(None, description="Stored before.")

    def chosen(self, tenant: str, job_id: UUID | None = None) -> DetectionFilter:
        return replace(
            super().chosen(tenant, job_id or self.job_id),
            tag=self.tag,
            since=None if self.since is None else self.since.timestamp(),
            until=None if self.until is None else self.until.timestamp(),
        )


class Mask(Answer):
    """COCO compressed run lengths."""

    size: tuple[int, int] = Field(description="Height, width.")
    counts: str


class DetectionAnswer(Answer):
    """One thing found in one picture, or in one frame of a video."""

    id: str
    job_id: UUID
    asset_id: UUID
    item: int = Field(description="Position of the asset in the job, from 0.")
    frame_index: int | None
    pts_seconds: float | None
    label: str
    class_id: int
    score: float | None = Field(description="Null for masks that no detector named.")
    box: tuple[float, float, float, float] = Field(description="x1, y1, x2, y2 in pixels.")
    track_id: int | None
    predicted_iou: float | None = Field(description="The segmenter's own guess; not a score.")
    stability_score: float | None
    provenance: str | None = Field(description="Digest of one of the job's provenances.")
    created_at: Moment
    mask: Mask | None = Field(None, description="There with include=mask.")
    keypoints: tuple[tuple[float, float, float], ...] | None = Field(
        None, description="There with include=keypoints: x, y in pixels, and the model's score."
    )
    embedding: tuple[float, ...] | None = Field(
        None, description="There with include=embedding: of length 1, of what lies in the box."
    )
