"""Recorded video: reading it, and taking it through a worker, on one rendered clip."""

import tempfile
from pathlib import Path

from vision.cli.bench import video_reading, video_work
from vision.cli.bench.clips import write_clip
from vision.cli.bench.measure import Figure

FRAMES = 300


def run() -> list[Figure]:
    """One line for the worker, and one for each way of reading."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, frames=FRAMES)
        worker = video_work.run(clip, frames=FRAMES)
        return [worker, *video_reading.run(clip, frames=FRAMES)]
