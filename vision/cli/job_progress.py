"""How far the videos of a job are, from a server's answer."""

from collections.abc import Mapping
from typing import Any

from vision.domain.job import VideoProgress


def video_progress(progress: Mapping[str, Any]) -> VideoProgress | None:
    """Of a job's or an item's `progress`; None without videos."""
    if progress.get("frames_total") is None:
        return None
    return VideoProgress(
        frames_done=progress["frames_done"],
        frames_total=progress["frames_total"],
        seconds_done=progress["seconds_done"],
        seconds_total=progress["seconds_total"],
        fraction=progress["fraction"],
    )
