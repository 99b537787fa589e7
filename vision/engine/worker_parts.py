"""Opens what a worker needs beside the engine: models on a device, decoders, pipelines. Torch."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch

from vision.allocator import keep_large_blocks
from vision.engine.device_pipeline import DevicePipeline
from vision.engine.kept_files import KeptFiles
from vision.engine.parts import Engine, decode_limits
from vision.engine.station import Decoder, RunsImages, Station
from vision.media.decode_process import DecodeProcess
from vision.models.batch_sizes import BATCH_SIZES_FILE, BatchSizes
from vision.models.batching import IMAGES_ON_GPU
from vision.models.catalogue import Catalogue
from vision.models.pool import ModelPool
from vision.models.weights import WeightsStore
from vision.pipelines.document import parse_pipeline
from vision.pipelines.image import ImagePipeline
from vision.settings import Settings
from vision.storage.blobs import BlobSource

GPU_DECODERS = 4
"""A GPU is faster than one decode process; a CPU that infers has no core to spare for more."""


@contextmanager
def open_station(
    engine: Engine, settings: Settings, *, owner: str, blobs: BlobSource | None = None
) -> Iterator[Station]:
    """Touches the device, sets torch's threads and, for a CPU, the allocator: call it in the
    process that will infer.

    `blobs` has the images and videos, when the engine's own store has not. Raises OperatorError.
    """
    if settings.worker_threads:
        torch.set_num_threads(settings.worker_threads)
    pool = open_pool(engine.catalogue, engine.weights, settings)
    on_gpu = pool.placement.device != "cpu"
    if not on_gpu:
        keep_large_blocks()
    with ExitStack() as stack:
        decoders = _open_decoders(stack, settings, count=_decoders(on_gpu=on_gpu) + 1)
        yield Station(
            owner=owner,
            units=engine.units,
            blobs=blobs or KeptFiles(engine.blobs, files=len(decoders)),
            decoders=decoders[1:],
            drawer=decoders[0],
            open_pipeline=PipelineOpener(pool),
            detections=engine.detections,
            tracks=engine.tracks,
            derived=engine.blobs,
            batch_images=IMAGES_ON_GPU if on_gpu else 1,
            chunk_frames=settings.chunk_frames,
            video_codec=settings.video_codec,
        )


def open_pool(catalogue: Catalogue, weights: WeightsStore, settings: Settings) -> ModelPool:
    """No model is loaded yet. Raises OperatorError when the device isn't there."""
    return ModelPool(
        catalogue,
        weights,
        device=settings.device,
        precision=settings.precision,
        memory_bytes=settings.model_memory_bytes,
        cpu_precision=settings.cpu_precision,
        batch_sizes=BatchSizes(settings.data_dir / BATCH_SIZES_FILE),
        embedding_memory_bytes=settings.embedding_memory_bytes,
        compiles=settings.compile_models,
    )


class PipelineOpener:
    """Documents to pipelines, by models that stay in the pool."""

    def __init__(self, pool: ModelPool) -> None:
        self._pool = pool

    def __call__(self, document: Mapping[str, object]) -> RunsImages:
        return DevicePipeline(ImagePipeline(parse_pipeline(document), self._pool))


def _open_decoders(stack: ExitStack, settings: Settings, *, count: int) -> tuple[Decoder, ...]:
    limits = decode_limits(settings)
    return tuple(stack.enter_context(DecodeProcess(limits)) for _ in range(count))


def _decoders(*, on_gpu: bool) -> int:
    return min(GPU_DECODERS, os.cpu_count() or 1) if on_gpu else 1
