"""Tracks as rows of a table."""

from collections.abc import Mapping
from typing import Any

TRACK_COLUMNS = ("track", "label", "first s", "last s", "detections", "best score")


def track_row(track: Mapping[str, Any]) -> tuple[object, ...]:
    """Of a track as JSON."""
    score = track["best"]["score"]
    return (
        track["track_id"],
        track["label"],
        f"{track['first_seconds']:.2f}",
        f"{track['last_seconds']:.2f}",
        track["detections"],
        "" if score is None else f"{score:.3f}",
    )
