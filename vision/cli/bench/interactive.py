"""One image, one answer: what the whole service adds to the networks' own time."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx

from vision.cli.bench.measure import Figure, at_most, seconds_of
from vision.cli.bench.pictures import jpeg, picture
from vision.cli.service.part import tied_argv
from vision.domain.image import ImageSize
from vision.engine.parts import open_engine
from vision.engine.worker_parts import open_pool
from vision.errors import OperatorError
from vision.pipelines.image import ImagePipeline
from vision.pipelines.named import resolve
from vision.settings import Settings

SIZE = ImageSize(width=640, height=480)
PIPELINE = "demo"
IMAGES = 31
"""The first one loads the model and isn't counted."""
TARGET_MS = 10.0
START_SECONDS = 120.0


def run() -> list[Figure]:
    """Upload, decode, queue, infer, store, answer in one request, against inference alone."""
    with tempfile.TemporaryDirectory() as folder, _service(Path(folder) / "data") as url:
        settings = Settings(data_dir=Path(folder) / "alone")
        with open_engine(settings) as engine, httpx.Client(base_url=url, timeout=60) as client:
            pipeline = ImagePipeline(
                resolve(PIPELINE), open_pool(engine.catalogue, engine.weights, settings)
            )
            service, alone = _interleaved(client, pipeline)
    added_ms = (service - alone) * 1000
    return [
        at_most(
            "One image in one request: added to the networks' own time, ms",
            ours=f"{service * 1000:.1f} ms",
            reference=f"the networks alone: {alone * 1000:.1f} ms",
            ratio=added_ms,
            target=TARGET_MS,
        )
    ]


def _interleaved(client: httpx.Client, pipeline: ImagePipeline) -> tuple[float, float]:
    """Median seconds through the service, and of the networks in this process."""
    service, alone = [], []
    for seed in range(IMAGES):
        image, file = picture(SIZE, seed=seed), jpeg(SIZE, seed=seed)
        service.append(_ask(client, file))
        alone.append(seconds_of(lambda shown=image: pipeline.run([shown])))  # type: ignore[misc]
    return statistics.median(service[1:]), statistics.median(alone[1:])


def _ask(client: httpx.Client, file: bytes) -> float:
    started = time.perf_counter()
    answer = client.post(
        "/v1/jobs",
        files={"files": ("picture.jpg", file)},
        data={"pipeline": PIPELINE},
        headers={"Prefer": "wait=30"},
    )
    seconds = time.perf_counter() - started
    if answer.status_code != HTTPStatus.OK:
        raise OperatorError(f"the service answered {answer.status_code}")
    return seconds


@contextmanager
def _service(data_dir: Path) -> Iterator[str]:
    """`vision up` on a free port; its URL."""
    words = ("-m", "vision.cli.main", "up", "--quiet", "--port", "0", "--data-dir", str(data_dir))
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("VISION_")}
    process = subprocess.Popen(
        tied_argv((sys.executable, *words)),
        env=inherited,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield _announced(process, data_dir / "run" / "service.json")
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _announced(process: subprocess.Popen[bytes], file: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while not file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise OperatorError("the service that is to be measured didn't start")
        time.sleep(0.05)
    return str(json.loads(file.read_text())["url"])
