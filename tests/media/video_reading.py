"""How tests read videos: whole, in chunks, and by ffprobe."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from vision.domain.video import Chunk, Frame, FrameIndex, ReadingEnd, WantedFrame
from vision.media.decode_process import DecodeProcess

needs_ffprobe = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not here")


def whole(frames: FrameIndex) -> Chunk:
    return chunk_of(frames, 0, len(frames))


def chunk_of(
    frames: FrameIndex, first: int, stop: int, *, wanted: Sequence[int] | None = None
) -> Chunk:
    """Frames `first` to `stop`, or the wanted ones of them; `first` has a keyframe, or is 0."""
    return Chunk(
        number=1,
        start_pts=int(frames.pts[first]),
        end_pts=None if stop == len(frames) else int(frames.pts[stop]),
        first_index=first,
        time_base=frames.time_base,
        frames=stop - first if wanted is None else len(wanted),
        seconds=1.0,
        wanted=None if wanted is None else tuple(_wanted(frames, one) for one in wanted),
    )


def chunks_of(frames: FrameIndex) -> list[Chunk]:
    """From each keyframe to the next."""
    starts = [0, *frames.is_keyframe.nonzero()[0].tolist()]
    starts = sorted(set(starts))
    return [
        chunk_of(frames, first, stop)
        for first, stop in zip(starts, [*starts[1:], len(frames)], strict=True)
    ]


def _wanted(frames: FrameIndex, index: int) -> WantedFrame:
    keys = [key for key in frames.is_keyframe.nonzero()[0].tolist() if key <= index]
    return WantedFrame(int(frames.pts[index]), index, int(frames.pts[keys[-1] if keys else 0]))


def read(decoder: DecodeProcess, path: Path, chunk: Chunk) -> tuple[list[Frame], ReadingEnd]:
    with decoder.frames(path, chunk) as reader:
        frames = list(reader)
        return frames, reader.end


def read_all(decoder: DecodeProcess, path: Path) -> tuple[list[Frame], ReadingEnd]:
    return read(decoder, path, whole(decoder.index(path).frames))


def ffprobe_times(path: Path) -> list[float | None]:
    """best_effort_timestamp_time of each frame; None where ffprobe knows none."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "json"]
    shown = ["-show_entries", "frame=best_effort_timestamp_time", str(path)]
    answer = subprocess.run([*command, *shown], capture_output=True, check=True)
    times = [one.get("best_effort_timestamp_time") for one in json.loads(answer.stdout)["frames"]]
    return [None if one is None else float(one) for one in times]
