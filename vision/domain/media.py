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
    """Of a video: None where the file's word can't be trusted and nobody has counted."""
    real_fps: float | None = None
    """The lowest rate that fits all of a video's timestamps, by FFmpeg's guess."""
    start_seconds: float | None = None
    """Time of a video's first frame; all its times are on this clock, which need not begin at 0."""
    container: str | None = None
    """Of a video: mp4, mov, matroska, webm, avi, mpegts or mpeg."""
    codec: str | None = None
    """Of a video's stream, by FFmpeg's name, such as h264."""
    rotation: int = 0
    """Of a video, degrees clockwise: 0, 90, 180 or 270. Players turn it by that, and so do we."""
