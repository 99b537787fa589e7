"""Tracks as JSON. As with detections the rows themselves are written without schemas."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, PageQuestion
from api.schemas.detections import Label, Seconds, TrackId
from vision.domain.stored import TrackFilter

MAX_COUNT = 2**31 - 1


class TracksQuestion(PageQuestion):
    """Which tracks of one job."""

    label: Label | None = None
    asset_id: UUID | None = None
    track_id: TrackId | None = None
    from_seconds: Seconds | None = Field(None, description="Still seen at or after.")
    to_seconds: Seconds | None = Field(None, description="First seen before.")
    min_detections: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = Field(
        None, description="Only objects that were seen at least so often."
    )

    def chosen(self, tenant: str, job_id: UUID) -> TrackFilter:
        return TrackFilter(
            job_id=job_id,
            tenant=tenant,
            asset_id=self.asset_id,
            track_id=self.track_id,
            label=self.label,
            from_seconds=self.from_seconds,
            to_seconds=self.to_seconds,
            min_detections=self.min_detections,
        )


class BestMomentAnswer(Answer):
    """Where an object shows best."""

    frame_index: int
    pts_seconds: float
    score: float | None
    box: tuple[float, float, float, float] = Field(description="x1, y1, x2, y2 in pixels.")
    crop: str | None = Field(description="Address of its picture; null when there is none.")


class TrackAnswer(Answer):
    """One object followed through a video."""

    track_id: int = Field(description="Unique in the job; detections name it.")
    job_id: UUID
    asset_id: UUID
    item: int = Field(description="Position of the asset in the job, from 0.")
    label: str
    class_id: int
    first_seconds: float
    last_seconds: float
    first_frame: int
    last_frame: int
    detections: int = Field(description="How many it consists of.")
    best: BestMomentAnswer
    path: tuple[tuple[float, float, float], ...] = Field(
        description="pts_seconds and the x, y of the box's center in pixels; thinned, with both "
        "ends."
    )
