"""A whole engine on one database, pictures for it, and a pipeline whose answer can be checked."""

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from PIL import Image

from vision.domain.detections import Detections
from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.job import Job, NewJob
from vision.domain.provenance import Provenance, StageProvenance, canonical_json
from vision.domain.stored import DetectionFilter
from vision.domain.video import Chunk
from vision.engine.parts import Engine, open_engine
from vision.engine.station import OpenPipeline, RunsImages, Station
from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits
from vision.pipelines.frames_run import FramesAlone, FramesRun
from vision.settings import Settings

LIMITS = DecodeLimits(max_pixels=10_000_000, seconds=20, memory_bytes=1024**3)
COLOUR = {"colour": {"seconds": 0.0}}


class ColourPipeline:
    """One detection per image: its box is the colour of the first pixel, so that it tells apart."""

    def __init__(self, seconds_per_image: float = 0.0) -> None:
        self._seconds = seconds_per_image
        self.provenance = Provenance(
            stages=(StageProvenance("colour", "first_pixel", "0" * 64, {}),),
            code_version="0",
            device="cpu",
            precision="float32",
        )

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        time.sleep(self._seconds * len(images))
        return [Findings(colour_detection(image)) for image in images]

    def open_frames(self, _chunk: Chunk, _state: bytes | None) -> FramesRun:
        return FramesAlone(self.run)


def open_colour_pipeline(document: Mapping[str, object]) -> RunsImages:
    """From `{"colour": {"seconds": …}}`."""
    options = document["colour"]
    assert isinstance(options, dict)
    return ColourPipeline(options["seconds"])


def colour_detection(image: RgbImage) -> Detections:
    red, green, blue = (float(value) for value in image[0, 0])
    return Detections(
        boxes=np.array([[0, 0, red + green * 256, blue + 1]], np.float32),
        labels=("colour",),
        class_ids=np.ones(1, np.int64),
        scores=np.ones(1, np.float32),
    )


def settings_for(folder: Path, database_url: str, **changes: object) -> Settings:
    """Not from the environment, nor from a file."""
    values = {"data_dir": folder, "database_url": database_url, "device": "cpu"}
    return Settings(_env_file=None, **{**values, **changes})  # type: ignore[arg-type]


def add_pictures(engine: Engine, count: int, *, size: tuple[int, int] = (16, 12)) -> list[UUID]:
    """PNG files of one colour each: the n-th's box is (0, 0, n, 1)."""
    return [add_picture(engine, number, size=size) for number in range(count)]


def add_picture(engine: Engine, number: int, *, size: tuple[int, int] = (16, 12)) -> UUID:
    path = engine.blobs.staging / f"{number}.png"
    Image.new("RGB", size, (number % 256, number // 256, 0)).save(path)
    return add_file(engine, path)


def add_broken_picture(engine: Engine) -> UUID:
    """A PNG whose header is fine and whose pixels end too early."""
    whole = engine.blobs.staging / "whole.png"
    Image.effect_noise((200, 200), 60).save(whole)
    broken = engine.blobs.staging / "broken.png"
    broken.write_bytes(whole.read_bytes()[:8000])
    return add_file(engine, broken)


def add_file(engine: Engine, path: Path) -> UUID:
    content = path.read_bytes()
    asset, _ = engine.ingest.add(
        path,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        filename=path.name,
    )
    return asset.id


def submit(
    engine: Engine, asset_ids: Sequence[UUID], pipeline: Mapping[str, object] = COLOUR
) -> Job:
    """Without the check that the pipeline's models are in the catalogue."""
    job, _ = engine.jobs.submit(
        NewJob(
            asset_ids=tuple(asset_ids),
            pipeline=pipeline,
            pipeline_sha256=hashlib.sha256(canonical_json(pipeline)).hexdigest(),
        ),
        max_open_units=100_000,
    )
    return job


def colour_job(engine: Engine, images: int, *, seconds_per_image: float = 0.0) -> Job:
    assets = add_pictures(engine, images)
    return submit(engine, assets, {"colour": {"seconds": seconds_per_image}})


def found_numbers(engine: Engine, job_id: UUID) -> list[int]:
    """What the colour pipeline saw, in the job's order: each picture's number."""
    rows = engine.detections.stream(DetectionFilter(job_id=job_id))
    return [round(row.box[2]) for row in rows]


@dataclass(frozen=True)
class Workshop:
    """An engine and a station at it."""

    engine: Engine
    station: Station


@contextmanager
def open_workshop(
    settings: Settings,
    *,
    owner: str = "tester/1",
    open_pipeline: OpenPipeline = open_colour_pipeline,
) -> Iterator[Workshop]:
    with (
        open_engine(settings) as engine,
        DecodeProcess(LIMITS) as decoder,
        DecodeProcess(LIMITS) as drawer,
    ):
        yield Workshop(
            engine,
            Station(
                owner=owner,
                units=engine.units,
                blobs=engine.blobs,
                decoders=(decoder,),
                drawer=drawer,
                open_pipeline=open_pipeline,
                chunk_frames=settings.chunk_frames,
                detections=engine.detections,
                tracks=engine.tracks,
                derived=engine.blobs,
            ),
        )


def wait_for_end(engine: Engine, job_id: UUID, *, seconds: float = 60) -> Job:
    deadline = time.monotonic() + seconds
    while True:
        job = engine.jobs.get(job_id)
        if job.state.is_final:
            return job
        if time.monotonic() > deadline:
            raise TimeoutError(f"job is still {job.state} with {job.items_done} items done")
        time.sleep(0.02)


def in_background(target: object, *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
    thread.start()
    return thread
