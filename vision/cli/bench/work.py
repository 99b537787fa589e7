"""Images through a worker's whole loop, against its networks alone."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from vision import __version__
from vision.cli.bench.measure import Figure, at_least, interleaved
from vision.cli.bench.pictures import jpeg
from vision.domain.detections import Detections
from vision.domain.findings import Findings
from vision.domain.image import ImageSize, RgbImage
from vision.domain.job import NewJob
from vision.domain.provenance import Provenance, StageProvenance
from vision.domain.video import Chunk
from vision.engine.parts import Engine, decode_limits, open_engine
from vision.engine.station import Pace, Station
from vision.engine.work_loop import work
from vision.media.decode_process import DecodeProcess
from vision.pipelines.frames_run import FramesAlone, FramesRun
from vision.settings import Settings
from vision.storage.migrate import migrate

SIZE = ImageSize(width=640, height=480)
DISTINCT = 32
ROWS = 8
CASES = ((0.005, 640, 0.95), (0.05, 192, 0.99))
"""Seconds an image in the networks, images, and the share of the bare loop to reach."""
ROUNDS = 3


def run() -> list[Figure]:
    """One line per case."""
    # The networks here are one thread: the other cores belong to decoding and storing, as a
    # GPU worker's cores do.
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        with open_engine(settings) as engine, DecodeProcess(decode_limits(settings)) as decoder:
            migrate(engine.database)
            bench = _Bench(engine, decoder, _asset_files(Path(folder)))
            return [bench.figure(*case) for case in CASES]


class PacedPipeline:
    """Keeps one processor busy for a set time per image and finds a few boxes.

    Arithmetic that releases the interpreter's lock, as a real network does.
    """

    def __init__(self, seconds_per_image: float) -> None:
        self._seconds = seconds_per_image
        self._matrix = torch.rand(64, 64)
        stage = StageProvenance("detect", "paced", "", {"seconds": seconds_per_image})
        self.provenance = Provenance((stage,), __version__, "cpu", "float32")

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        """One result per image, in order."""
        return [Findings(self._one()) for _ in images]

    def open_frames(self, _chunk: Chunk, _state: bytes | None) -> FramesRun:
        """Each frame costs what an image costs."""
        return FramesAlone(self.run)

    def _one(self) -> Detections:
        ends_at = time.perf_counter() + self._seconds
        while time.perf_counter() < ends_at:
            torch.mm(self._matrix, self._matrix)
        boxes = np.tile(np.array([1, 2, 30, 40], np.float32), (ROWS, 1))
        ones = np.ones(ROWS, np.int64)
        return Detections(boxes, ("thing",) * ROWS, ones, ones.astype(np.float32))


class _Bench:
    def __init__(self, engine: Engine, decoder: DecodeProcess, files: Sequence[Path]) -> None:
        self._engine = engine
        self._decoder = decoder
        self._assets = [engine.ingest.add_file(path)[0] for path in files]

    def figure(self, seconds_per_image: float, images: int, target: float) -> Figure:
        pipeline = PacedPipeline(seconds_per_image)
        picture = np.zeros((SIZE.height, SIZE.width, 3), np.uint8)
        station = self._station(pipeline)
        seconds: dict[str, float] = interleaved(
            {
                "bare": lambda: [pipeline.run([picture]) for _ in range(images)],
                "submit": lambda: self._submit(images),
                "worker": lambda: work(station, Pace()),
            },
            rounds=ROUNDS,
        )
        return at_least(
            f"One worker at {seconds_per_image * 1000:g} ms an image: decode, store and all",
            ours=f"{images / seconds['worker']:.1f} images/s",
            reference=f"the networks alone: {images / seconds['bare']:.1f} images/s",
            ratio=seconds["bare"] / seconds["worker"],
            target=target,
        )

    def _station(self, pipeline: PacedPipeline) -> Station:
        def opened(_document: Mapping[str, object]) -> PacedPipeline:
            return pipeline

        return Station(
            owner="bench",
            units=self._engine.units,
            blobs=self._engine.blobs,
            decoders=(self._decoder,),
            drawer=self._decoder,
            open_pipeline=opened,
            detections=self._engine.detections,
            tracks=self._engine.tracks,
            derived=self._engine.blobs,
        )

    def _submit(self, images: int) -> None:
        ids = tuple(asset.id for asset in self._assets)
        for _ in range(images // len(ids)):
            job = NewJob(asset_ids=ids, pipeline={"paced": True}, pipeline_sha256="paced")
            self._engine.jobs.submit(job, max_open_units=1_000_000)


def _asset_files(folder: Path) -> list[Path]:
    files = [folder / f"{seed}.jpg" for seed in range(DISTINCT)]
    for seed, file in enumerate(files):
        file.write_bytes(jpeg(SIZE, seed=seed))
    return files
