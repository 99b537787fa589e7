"""Vectors as JSON. As with detections the rows themselves are written without schemas."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, PageQuestion
from api.schemas.detections import MAX_INTEGER, Seconds
from api.schemas.words import split_by_commas
from vision.domain.stored_findings import Embedded, EmbeddingFilter


class EmbeddingsQuestion(PageQuestion):
    """Which vectors of one job."""

    asset_id: UUID | None = None
    of: Annotated[tuple[Embedded, ...], split_by_commas()] = Field(
        (), description="`image`, `frame`, `detection`, or several, separated by a comma."
    )
    detection_id: Annotated[int, Field(ge=0, le=MAX_INTEGER)] | None = Field(
        None, description="The vector of this detection."
    )
    frame_index: int | None = Field(None, ge=0, le=MAX_INTEGER)
    from_seconds: Seconds | None = Field(None, description="Place in the video, inclusive.")
    to_seconds: Seconds | None = Field(None, description="Place in the video, exclusive.")
    vectors: bool = Field(True, description="`false` leaves the numbers out: they are large.")

    def chosen(self, tenant: str, job_id: UUID) -> EmbeddingFilter:
        return EmbeddingFilter(
            job_id=job_id,
            tenant=tenant,
            asset_id=self.asset_id,
            of=frozenset(self.of) or None,
            detection_id=self.detection_id,
            frame_index=self.frame_index,
            from_seconds=self.from_seconds,
            to_seconds=self.to_seconds,
        )


class EmbeddingAnswer(Answer):
    """One vector: of an image, of a frame of a video, or of what lies in a detection's box."""

    job_id: UUID
    asset_id: UUID
    item: int = Field(description="Position of the asset in the job, from 0.")
    of: Embedded
    frame_index: int | None
    pts_seconds: float | None
    detection_id: str | None = Field(description="With the next four: of which detection it is.")
    label: str | None
    score: float | None
    box: tuple[float, float, float, float] | None = Field(description="x1, y1, x2, y2 in pixels.")
    track_id: int | None
    model: str = Field(examples=["dinov2_small"])
    weights_sha256: str = Field(description="Only vectors of equal weights can be compared.")
    dimensions: int
    vector: tuple[float, ...] | None = Field(
        None,
        description="Of length 1, so that a dot product is the cosine. The numbers are float32 "
        "in their shortest decimals. Not there with vectors=false.",
    )
    provenance: str | None = Field(description="Digest of one of the job's provenances.")
