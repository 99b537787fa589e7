"""Real processes of the product, and asking them."""

import io
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from patience import PATIENCE_SECONDS, wait_until
from PIL import Image

from vision.cli.service.part import tied_argv

VISION = (sys.executable, "-m", "vision.cli.main")
SIZE = (96, 64)
FINAL = {"succeeded", "partial", "failed", "cancelled"}


@dataclass(frozen=True)
class Running:
    """A process and the file that has all it says."""

    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)

    def says(self) -> str:
        return self.log.read_text(errors="replace")


@contextmanager
def running(log: Path, *words: str, **environment: str) -> Iterator[Running]:
    """`vision WORDS` with these settings only; killed in the end if need be."""
    inherited = {key: value for key, value in os.environ.items() if "VISION_" not in key}
    with log.open("wb") as file:
        process = subprocess.Popen(
            tied_argv((*VISION, *words)),
            cwd=log.parent,
            env={**inherited, "OMP_NUM_THREADS": "1", **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Running(process, log)
    finally:
        process.kill()
        process.wait()


@contextmanager
def service(data_dir: Path, *words: str, **environment: str) -> Iterator[tuple[Running, str]]:
    """`vision up` on a free port, ready; and its URL."""
    data_dir.mkdir(parents=True, exist_ok=True)
    arguments = ("up", "--port", "0", "--data-dir", str(data_dir), *words)
    announced = data_dir / "run" / "service.json"
    with running(data_dir.with_suffix(".log"), *arguments, **environment) as up:
        wait_until(lambda: _announced_url(announced, up) or up.process.poll() is not None)
        assert up.process.poll() is None, up.says()
        yield up, _announced_url(announced, up)


def _announced_url(path: Path, up: Running) -> str:
    """Empty until it is there, and this process's own: a killed one leaves its file behind."""
    if not path.exists():
        return ""
    announced = json.loads(path.read_text())
    return str(announced["url"]) if announced["pid"] == up.process.pid else ""


def descendants(pid: int) -> dict[int, str]:
    """Command lines by process, of everything that this process started."""
    parents = {each: parent for each in _all_pids() if (parent := _parent(each)) is not None}
    found: dict[int, str] = {}
    generation = {pid}
    while generation := {each for each, parent in parents.items() if parent in generation}:
        found |= {each: _command(each) for each in generation}
    return found


def _all_pids() -> list[int]:
    return [int(process.name) for process in Path("/proc").glob("[0-9]*")]


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None  # ended meanwhile


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def picture(seed: int) -> bytes:
    """A JPEG of noise, another one for each seed."""
    noise = Image.frombytes("RGB", SIZE, random.Random(seed).randbytes(SIZE[0] * SIZE[1] * 3))
    file = io.BytesIO()
    noise.save(file, "JPEG")
    return file.getvalue()


def submit(url: str, *, pictures: int) -> dict[str, Any]:
    """A `demo` job of so many different pictures, as accepted."""
    files = [("files", (f"{seed}.jpg", picture(seed))) for seed in range(pictures)]
    answer = httpx.post(f"{url}/v1/jobs", files=files, data={"pipeline": "demo"}, timeout=60)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    accepted: dict[str, Any] = answer.json()
    return accepted


def ended(url: str, job: Mapping[str, Any]) -> dict[str, Any]:
    """The job once it has ended."""
    seen: dict[str, Any] = {}

    def has_ended() -> bool:
        try:
            answer = httpx.get(f"{url}/v1/jobs/{job['id']}", timeout=60)
        except httpx.TransportError:
            return False  # the API is just being started again
        seen.update(answer.raise_for_status().json())
        return seen["state"] in FINAL

    wait_until(has_ended)
    return seen
