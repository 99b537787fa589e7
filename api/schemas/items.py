"""What became of each asset of a job, as JSON."""

from collections.abc import Mapping
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, Failure
from api.schemas.media import MediaAnswer, media_fields
from api.schemas.progress import VideoProgressAnswer
from vision.domain.job import Item
from vision.domain.states import ItemState


class ClassScoreAnswer(Answer):
    """One thing that a picture may show."""

    label: str
    class_id: int
    score: float


class ItemAnswer(MediaAnswer):
    """One asset in one job. `partial` is a video of which something could not be had."""

    job_id: UUID
    index: int = Field(description="Position in the job's list of assets, from 0.")
    asset_id: UUID
    filename: str
    state: ItemState
    error: Failure | None
    detections: int
    counts: Mapping[str, int] = Field(description="Detections per label.")
    progress: VideoProgressAnswer | None = Field(description="Of a video.")
    frames_decoded: int | None = Field(description="Frames of a video that were analysed.")
    frames_declared: int | None = Field(
        description="How many there would be to analyse if the file were whole."
    )
    track_parameters: Mapping[str, Any] | None = Field(
        description="Of the tracks that a video has: the algorithm and every parameter."
    )
    embeddings: int = Field(description="Stored vectors: of it, its frames and its detections.")
    classes: tuple[ClassScoreAnswer, ...] | None = Field(
        description="The best five of what a classifier said of it, of a video anywhere in it; "
        "null when none was asked. All of them: `/v1/jobs/{job_id}/classifications`."
    )
    warnings: tuple[str, ...]
    provenance: str | None = Field(description="Digest of one of the job's provenances.")

    @classmethod
    def of(cls, item: Item) -> Self:
        return cls(
            **media_fields(item.facts),
            job_id=item.job_id,
            index=item.index,
            asset_id=item.asset_id,
            filename=item.filename,
            state=item.state,
            error=Failure.of(item.error),
            detections=item.detections,
            counts=item.counts,
            progress=VideoProgressAnswer.of(item.video),
            frames_decoded=None if item.video is None else item.video.frames_done,
            frames_declared=item.frames_declared,
            track_parameters=item.track_parameters,
            embeddings=item.embeddings,
            classes=_classes(item),
            warnings=item.warnings,
            provenance=item.provenance_digest,
        )


def _classes(item: Item) -> tuple[ClassScoreAnswer, ...] | None:
    if item.classes is None:
        return None
    return tuple(
        ClassScoreAnswer(label=one.label, class_id=one.class_id, score=one.score)
        for one in item.classes
    )
