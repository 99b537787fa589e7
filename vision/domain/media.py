"""Facts about a file, read from its content."""

from dataclasses import dataclass
from enum import StrEnum

from vision.domain.image import ImageSize


class MediaKind(StrEnum):
    """What a file holds."""

    IMAGE = "image"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """What the content says; names and headers are only hints and appear nowhere here."""

    kind: MediaKind
    media_type: str
    """Such as image/jpeg."""
    size: ImageSize
    """Of the upright picture."""
    orientation: int = 1
    """EXIF orientation that was undone, 1 to 8; 1 is upright."""
    warnings: tuple[str, ...] = ()
    duration_seconds: float | None = None
    average_fps: float | None = None
    frame_count: int | None = None
