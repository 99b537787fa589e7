"""Runs the installed console script, as a person does."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

SCRIPT = Path(sys.executable).with_name("vision")
TIMEOUT_SECONDS = 240


@dataclass(frozen=True)
class Ended:
    """A finished run."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """Ours without settings of the product; one thread for torch on a shared machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VISION_")}
    return kept | {"OMP_NUM_THREADS": "1"} | more


def run(*arguments: object, cwd: Path | None = None, **more: str) -> Ended:
    """`vision ARGUMENTS`, waited for."""
    done = subprocess.run(
        [SCRIPT, *map(str, arguments)],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def start(*arguments: object, cwd: Path | None = None, **more: str) -> subprocess.Popen[bytes]:
    """`vision ARGUMENTS`, running, in a process group of its own."""
    return subprocess.Popen(
        [SCRIPT, *map(str, arguments)],
        cwd=cwd,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_for(is_so: Callable[[], bool]) -> None:
    """As long as it takes on a busy machine, but not for ever."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@dataclass(frozen=True)
class Workplace:
    """A models folder with the model `yard`, and a pipeline file that names it."""

    models_dir: Path
    pipeline: Path

    def run(self, *arguments: object, cwd: Path | None = None, **more: str) -> Ended:
        return run(*arguments, cwd=cwd, VISION_MODELS_DIR=str(self.models_dir), **more)


@dataclass(frozen=True)
class Batch:
    """A finished batch."""

    ended: Ended
    folder: Path
    out: Path

    @property
    def lines(self) -> Sequence[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / "results.jsonl").read_text().splitlines()]

    def line(self, name: str) -> dict[str, Any]:
        return next(line for line in self.lines if line["filename"] == name)

    def detections_of(self, name: str) -> Sequence[dict[str, Any]]:
        """Of a video: the lines of its own file."""
        text = (self.out / self.line(name)["detections_file"]).read_text()
        return [json.loads(line) for line in text.splitlines()]

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads((self.out / "summary.json").read_text())
        return summary


def make_picture(path: Path, *, number: int = 0, size: tuple[int, int] = (160, 120)) -> Path:
    """A small picture; each `number` has its own content."""
    picture = Image.new("RGB", size, (90, 120 + number % 100, 90))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((20 + number % 40, 30, 90, 90), fill=(200, 40, 40))
    draw.ellipse((100, 50, 140, 90), fill=(250, 250, number % 256))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=90)
    return path


def make_truncated_jpeg(path: Path) -> Path:
    """The first two thirds of a picture."""
    whole = make_picture(path, number=77, size=(400, 300)).read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    return path


def make_text_named_jpeg(path: Path) -> Path:
    path.write_text("Dear diary, today I was renamed.\n")
    return path
