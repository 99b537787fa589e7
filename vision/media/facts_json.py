"""Media facts as the decode process sends them, checked as coming from a stranger."""

from collections.abc import Mapping

from vision.domain.image import ImageSize
from vision.domain.media import MediaFacts, MediaKind
from vision.media.sniff import READABLE_TYPES

_MAX_WARNINGS = 10
_MAX_WARNING_CHARACTERS = 300


def facts_to_json(facts: MediaFacts) -> dict[str, object]:
    return {
        "media_type": facts.media_type,
        "width": facts.size.width,
        "height": facts.size.height,
        "orientation": facts.orientation,
        "warnings": list(facts.warnings),
    }


def facts_from_json(document: Mapping[str, object]) -> MediaFacts:
    """Raises ValueError for anything that `facts_to_json` wouldn't have written."""
    media_type, warnings = document.get("media_type"), document.get("warnings")
    if media_type not in READABLE_TYPES or not isinstance(warnings, list):
        raise ValueError("these are no media facts")
    return MediaFacts(
        kind=MediaKind.IMAGE,
        media_type=str(media_type),
        size=ImageSize(width=_integer(document, "width"), height=_integer(document, "height")),
        orientation=min(8, max(1, _integer(document, "orientation"))),
        warnings=tuple(str(text)[:_MAX_WARNING_CHARACTERS] for text in warnings[:_MAX_WARNINGS]),
    )


def _integer(document: Mapping[str, object], name: str) -> int:
    value = document.get(name)
    if not isinstance(value, int):
        raise ValueError(f"{name} is not an integer")
    return value
