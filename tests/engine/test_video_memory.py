"""However long a video is, memory stays where it was after the first part of it."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest
from video_workshop import write_clip

RUN = Path(__file__).with_name("memory_run.py")
ALLOWED_GROWTH = 1.05
WARM, DONE = 0.25, 0.9
"""Shares of the video: what is measured is from here to there."""
WINDOW = 0.1


@pytest.mark.parametrize(
    ("frames", "fps", "sample"),
    [
        pytest.param(3_600, 1, {}, id="an hour at one frame a second"),
        pytest.param(36_000, 1, {}, id="ten hours at one frame a second", marks=pytest.mark.slow),
        pytest.param(
            216_000,
            30,
            {"every_seconds": 0.5},
            id="two hours at thirty frames a second",
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.timeout(3600)
def test_memory_is_flat(tmp_path: Path, frames: int, fps: int, sample: dict[str, object]) -> None:
    clip = write_clip(tmp_path / "long.mp4", range(frames), fps=fps, keyframe_every=30)

    answer = subprocess.run(
        [sys.executable, str(RUN), str(clip), str(tmp_path), json.dumps(sample)],
        stdout=subprocess.PIPE,
        check=True,
    )

    seen = json.loads(answer.stdout)
    for who in (1, 2):
        warm, done = (mean_bytes(seen, who, share) for share in (WARM, DONE))
        assert done <= warm * ALLOWED_GROWTH


def mean_bytes(seen: list[list[int]], who: int, share: float) -> float:
    """Of a tenth of the frames."""
    total = seen[-1][0]
    return fmean(one[who] for one in seen if share * total <= one[0] <= (share + WINDOW) * total)
