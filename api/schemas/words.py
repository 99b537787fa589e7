"""Several words in one field of a query."""

from pydantic import BeforeValidator


def split_by_commas() -> BeforeValidator:
    """`include=mask,keypoints` and `include=mask&include=keypoints` mean the same."""
    return BeforeValidator(_split)


def _split(value: object) -> object:
    words = value if isinstance(value, list | tuple) else [value]
    return [part.strip() for word in words for part in str(word).split(",") if part.strip()]
