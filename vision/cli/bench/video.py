"""Recorded video: reading it, and taking it through a worker, on one rendered clip."""

import tempfile
from pathlib import Path

from vision.cli.bench import video_reading
from vision.cli.bench.clips import write_clip
from vision.cli.bench.measure import Figure

FRAMES = 300


def run() -> list[Figure]:
    """One line per way of reading."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, frames=FRAMES)
        return video_reading.run(clip, frames=FRAMES)
