"""Names of pictures and clips as JSON. The rows themselves are written without schemas."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, PageQuestion
from api.schemas.detections import MAX_INTEGER, Label, Score, Seconds
from api.schemas.words import split_by_commas
from vision.domain.stored_findings import ClassificationFilter, Classified

MAX_RANK = 2**31 - 1


class ClassificationsQuestion(PageQuestion):
    """Which names of one job."""

    label: Label | None = None
    min_score: Score | None = None
    top: Annotated[int, Field(ge=1, le=MAX_RANK)] | None = Field(
        None, description="Only the best so many of each picture or clip; 1 is its name."
    )
    of: Annotated[tuple[Classified, ...], split_by_commas()] = Field(
        (), description="`image`, `frame`, `clip`, or several, separated by a comma."
    )
    asset_id: UUID | None = None
    frame_index: int | None = Field(
        None, ge=0, le=MAX_INTEGER, description="Of this frame, and of clips that it is part of."
    )
    from_seconds: Seconds | None = Field(
        None, description="Place in the video, inclusive. A clip is there when a part of it is."
    )
    to_seconds: Seconds | None = Field(None, description="Place in the video, exclusive.")

    def chosen(self, tenant: str, job_id: UUID) -> ClassificationFilter:
        return ClassificationFilter(
            job_id=job_id,
            tenant=tenant,
            asset_id=self.asset_id,
            of=frozenset(self.of) or None,
            label=self.label,
            min_score=self.min_score,
            top=self.top,
            frame_index=self.frame_index,
            from_seconds=self.from_seconds,
            to_seconds=self.to_seconds,
        )


class ClassificationAnswer(Answer):
    """One name of an image, of a frame of a video, or of a stretch of it."""

    job_id: UUID
    asset_id: UUID
    item: int = Field(description="Position of the asset in the job, from 0.")
    of: Classified
    rank: int = Field(description="1 is the best of its picture or clip.")
    label: str
    class_id: int
    score: float
    frame_index: int | None = Field(description="Of a frame.")
    first_frame: int | None = Field(description="Of a clip; of a frame the same as its index.")
    last_frame: int | None
    from_seconds: float | None = Field(description="When its first frame is shown.")
    to_seconds: float | None = Field(description="When its last frame is shown.")
    provenance: str | None = Field(description="Digest of one of the job's provenances.")
