"""A video through a worker's whole loop, against decoding and the networks in one plain loop."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch

from vision.cli.bench.measure import Figure, at_least, interleaved
from vision.cli.bench.video_reading import LIMITS, frames_by_pyav
from vision.cli.bench.work import PacedPipeline
from vision.domain.job import NewJob
from vision.engine.parts import Engine, open_engine
from vision.engine.station import Pace, Station
from vision.engine.work_loop import work
from vision.media.decode_process import DecodeProcess
from vision.settings import Settings
from vision.storage.migrate import migrate

SECONDS_PER_FRAME = 0.02
TARGET = 0.95
ROUNDS = 3


def run(clip: Path, *, frames: int) -> Figure:
    """Probe, chunks, decode, infer and store."""
    # As in the measurement of images: the other cores belong to decoding and storing.
    torch.set_num_threads(1)
    pipeline = PacedPipeline(SECONDS_PER_FRAME)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        with open_engine(settings) as engine, DecodeProcess(LIMITS) as decoder:
            migrate(engine.database)
            station = _station(engine, decoder, pipeline)
            seconds = interleaved(
                {
                    "bare": lambda: [pipeline.run([image]) for image in frames_by_pyav(clip)],
                    "submit": lambda: _submit(engine, clip),
                    "worker": lambda: _work(station, frames),
                },
                rounds=ROUNDS,
            )
    return at_least(
        f"One worker, 1080p H.264, {SECONDS_PER_FRAME * 1000:g} ms a frame in the networks",
        ours=f"{frames / seconds['worker']:.1f} frames/s",
        reference=f"decoding and the networks in a loop: {frames / seconds['bare']:.1f} frames/s",
        ratio=seconds["bare"] / seconds["worker"],
        target=TARGET,
    )


def _work(station: Station, frames: int) -> None:
    done = work(station, Pace())
    if done.frames != frames:
        raise ValueError(f"{done.frames} frames were analysed, not {frames}")


def _submit(engine: Engine, clip: Path) -> None:
    asset, _ = engine.ingest.add_file(clip)
    job = NewJob(asset_ids=(asset.id,), pipeline={"paced": True}, pipeline_sha256="paced")
    engine.jobs.submit(job, max_open_units=1_000_000)


def _station(engine: Engine, decoder: DecodeProcess, pipeline: PacedPipeline) -> Station:
    def opened(_document: Mapping[str, object]) -> PacedPipeline:
        return pipeline

    return Station(
        owner="bench",
        units=engine.units,
        blobs=engine.blobs,
        decoders=(decoder,),
        drawer=decoder,
        open_pipeline=opened,
        detections=engine.detections,
        tracks=engine.tracks,
        derived=engine.blobs,
    )
