"""What is known of a file's pictures, the same for an asset and for an item of a job."""

from typing import TypedDict

from pydantic import Field

from api.schemas.base import Answer
from vision.domain.media import MediaFacts, MediaKind


class MediaFields(TypedDict):
    """`MediaAnswer`'s fields as arguments."""

    kind: MediaKind
    media_type: str
    width: int
    height: int
    orientation: int
    rotation: int
    duration_seconds: float | None
    start_seconds: float | None
    average_fps: float | None
    real_fps: float | None
    frame_count: int | None
    container: str | None
    codec: str | None


class MediaAnswer(Answer):
    """Facts by content. Sizes are those of the upright picture; what is only of videos is null for
    an image."""

    kind: MediaKind
    media_type: str = Field(description="By content, not by name.", examples=["image/jpeg"])
    width: int
    height: int
    orientation: int = Field(description="EXIF orientation that was undone; 1 is upright.")
    rotation: int = Field(description="Of a video, undone: 0, 90, 180 or 270 degrees clockwise.")
    duration_seconds: float | None
    start_seconds: float | None = Field(
        description="Time of a video's first frame: its clock need not begin at 0."
    )
    average_fps: float | None
    real_fps: float | None = Field(description="The lowest rate that fits every frame's time.")
    frame_count: int | None = Field(
        description="Null while nobody has counted and the file's word can't be trusted."
    )
    container: str | None = Field(examples=["mp4"])
    codec: str | None = Field(examples=["h264"])


def media_fields(facts: MediaFacts) -> MediaFields:
    return {
        "kind": facts.kind,
        "media_type": facts.media_type,
        "width": facts.size.width,
        "height": facts.size.height,
        "orientation": facts.orientation,
        "rotation": facts.rotation,
        "duration_seconds": facts.duration_seconds,
        "start_seconds": facts.start_seconds,
        "average_fps": facts.average_fps,
        "real_fps": facts.real_fps,
        "frame_count": facts.frame_count,
        "container": facts.container,
        "codec": facts.codec,
    }
