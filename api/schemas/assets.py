"""Stored files as JSON."""

from typing import Self
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, Moment, PageQuestion, Question, Tag, Tags
from vision.domain.job import Asset
from vision.domain.media import MediaKind


class AssetAnswer(Answer):
    """A stored file. Sizes are those of the upright picture."""

    id: UUID
    sha256: str = Field(description="Of the bytes, hexadecimal.")
    kind: MediaKind
    media_type: str = Field(description="By content, not by name.", examples=["image/jpeg"])
    size_bytes: int
    width: int
    height: int
    orientation: int = Field(description="EXIF orientation that was undone; 1 is upright.")
    duration_seconds: float | None
    average_fps: float | None
    frame_count: int | None
    filename: str = Field(description="For display only.", examples=["yard.jpg"])
    tags: tuple[str, ...]
    warnings: tuple[str, ...]
    created_at: Moment

    @classmethod
    def of(cls, asset: Asset) -> Self:
        facts = asset.facts
        return cls(
            id=asset.id,
            sha256=asset.sha256,
            kind=facts.kind,
            media_type=facts.media_type,
            size_bytes=asset.size_bytes,
            width=facts.size.width,
            height=facts.size.height,
            orientation=facts.orientation,
            duration_seconds=facts.duration_seconds,
            average_fps=facts.average_fps,
            frame_count=facts.frame_count,
            filename=asset.filename,
            tags=asset.tags,
            warnings=facts.warnings,
            created_at=asset.created_at,
        )


class AssetsQuestion(PageQuestion):
    """Which assets."""

    tag: Tag | None = Field(None, description="Only assets with this tag.")


class UploadQuestion(Question):
    """What is said about a file in the address."""

    tag: Tags = Field((), description="May be repeated; kept with a new asset.")
