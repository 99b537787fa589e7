"""What a person sees while videos are worked on."""

import os
import pty
import re
import subprocess
from pathlib import Path

from console import SCRIPT, Workplace, environment, make_picture
from yard_clips import make_clip

from vision.cli.progress import summed
from vision.domain.job import VideoProgress

FRAMES = 64


def on_a_terminal(*arguments: object, **more: str) -> str:
    """All that `vision ARGUMENTS` writes to a terminal of its standard error."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [SCRIPT, *map(str, arguments)],
        env=environment(TERM="xterm", COLUMNS="160", **more),
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        text = b""
        while block := _read(ours):
            text += block
    os.close(ours)
    assert process.returncode == 0, text.decode()
    return text.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""


def test_one_long_video_moves_the_bar(workplace: Workplace, tmp_path: Path) -> None:
    make_clip(tmp_path / "in" / "long.mp4", frames=FRAMES)
    make_picture(tmp_path / "in" / "a.jpg")
    settings = {"VISION_MODELS_DIR": str(workplace.models_dir), "VISION_CHUNK_FRAMES": "4"}

    options = ("-p", "demo", "-o", tmp_path / "out", "--annotate")
    shown = on_a_terminal("batch", tmp_path / "in", *options, **settings)

    numbers = {int(done) for done in re.findall(rf"(\d+)/{FRAMES} frames", shown)}
    assert max(numbers) == FRAMES
    assert any(0 < number < FRAMES for number in numbers)
    assert re.search(r"\d frames/s", shown)
    assert "drawing" in shown


def test_nothing_is_summed_up_of_no_videos() -> None:
    assert summed([]) is None


def test_totals_of_several_jobs_are_added_up() -> None:
    one = VideoProgress(
        frames_done=10, frames_total=40, seconds_done=1.0, seconds_total=4.0, fraction=0.25
    )
    none_known = VideoProgress(
        frames_done=0, frames_total=0, seconds_done=0.0, seconds_total=16.0, fraction=0.0
    )

    total = summed([one, none_known])

    assert total == VideoProgress(
        frames_done=10, frames_total=40, seconds_done=1.0, seconds_total=20.0, fraction=0.05
    )
