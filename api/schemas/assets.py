"""Stored files as JSON."""

from typing import Self
from uuid import UUID

from pydantic import Field

from api.schemas.base import Moment, PageQuestion, Question, Tag, Tags
from api.schemas.media import MediaAnswer, media_fields
from vision.domain.job import Asset


class AssetAnswer(MediaAnswer):
    """A stored file."""

    id: UUID
    sha256: str = Field(description="Of the bytes, hexadecimal.")
    size_bytes: int
    filename: str = Field(description="For display only.", examples=["yard.jpg"])
    tags: tuple[str, ...]
    warnings: tuple[str, ...]
    created_at: Moment

    @classmethod
    def of(cls, asset: Asset) -> Self:
        return cls(
            **media_fields(asset.facts),
            id=asset.id,
            sha256=asset.sha256,
            size_bytes=asset.size_bytes,
            filename=asset.filename,
            tags=asset.tags,
            warnings=asset.facts.warnings,
            created_at=asset.created_at,
        )


class AssetsQuestion(PageQuestion):
    """Which assets."""

    tag: Tag | None = Field(None, description="Only assets with this tag.")


class UploadQuestion(Question):
    """What is said about a file in the address."""

    tag: Tags = Field((), description="May be repeated; kept with a new asset.")
