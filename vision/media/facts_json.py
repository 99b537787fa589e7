"""Media facts as the decode process sends them, checked as coming from a stranger."""

import math
from collections.abc import Mapping
from dataclasses import replace

from vision.domain.image import ImageSize
from vision.domain.media import MediaFacts, MediaKind
from vision.media.sniff import READABLE_TYPES, VIDEO_TYPES

_MAX_WARNINGS = 10
_MAX_WARNING_CHARACTERS = 300
_MAX_NAME_CHARACTERS = 32
_MAX_COUNT = 1 << 53


def facts_to_json(facts: MediaFacts) -> dict[str, object]:
    image: dict[str, object] = {
        "media_type": facts.media_type,
        "width": facts.size.width,
        "height": facts.size.height,
        "orientation": facts.orientation,
        "warnings": list(facts.warnings),
    }
    if facts.kind is MediaKind.IMAGE:
        return image
    return image | {
        "duration_seconds": facts.duration_seconds,
        "average_fps": facts.average_fps,
        "frame_count": facts.frame_count,
        "real_fps": facts.real_fps,
        "start_seconds": facts.start_seconds,
        "container": facts.container,
        "codec": facts.codec,
        "rotation": facts.rotation,
    }


def facts_from_json(document: Mapping[str, object]) -> MediaFacts:
    """Raises ValueError for anything that `facts_to_json` wouldn't have written."""
    media_type, warnings = document.get("media_type"), document.get("warnings")
    if media_type not in READABLE_TYPES or not isinstance(warnings, list):
        raise ValueError("these are no media facts")
    image = MediaFacts(
        kind=MediaKind.VIDEO if media_type in VIDEO_TYPES else MediaKind.IMAGE,
        media_type=str(media_type),
        size=ImageSize(width=_integer(document, "width"), height=_integer(document, "height")),
        orientation=min(8, max(1, _integer(document, "orientation"))),
        warnings=tuple(str(text)[:_MAX_WARNING_CHARACTERS] for text in warnings[:_MAX_WARNINGS]),
    )
    return _video(image, document) if image.kind is MediaKind.VIDEO else image


def _video(facts: MediaFacts, document: Mapping[str, object]) -> MediaFacts:
    rotation = _integer(document, "rotation")
    if rotation not in (0, 90, 180, 270):
        raise ValueError(f"nothing is turned by {rotation} degrees")
    return replace(
        facts,
        duration_seconds=_number(document, "duration_seconds"),
        average_fps=_number(document, "average_fps"),
        frame_count=_count(document, "frame_count"),
        real_fps=_number(document, "real_fps"),
        start_seconds=_number(document, "start_seconds"),
        container=str(document.get("container"))[:_MAX_NAME_CHARACTERS],
        codec=str(document.get("codec"))[:_MAX_NAME_CHARACTERS],
        rotation=rotation,
    )


def _integer(document: Mapping[str, object], name: str) -> int:
    value = document.get(name)
    if not isinstance(value, int):
        raise ValueError(f"{name} is not an integer")
    return value


def _count(document: Mapping[str, object], name: str) -> int | None:
    if document.get(name) is None:
        return None
    count = _integer(document, name)
    if not 0 <= count <= _MAX_COUNT:
        raise ValueError(f"{name} is no count")
    return count


def _number(document: Mapping[str, object], name: str) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is not a number")
    return float(value)
