"""The shipped films through the product's own path: decode process, pipeline, tracking."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from samples.evaluation.tracking import FilmFinds, FrameFinds, microseconds
from samples.filming.truth import FilmTruth, read_truth
from samples.shipped import SHIPPED
from vision.domain.detections import Detections
from vision.domain.track import DetectionColumns
from vision.domain.video import Frame, FrameFindings, FrameTimes
from vision.media.decode_process import DecodeProcess
from vision.media.limits import DecodeLimits
from vision.models.catalogue import Catalogue
from vision.models.pool import ModelPool
from vision.models.weights import WeightsStore
from vision.pipelines.image import ImagePipeline
from vision.pipelines.named import resolve
from vision.pipelines.sampling import cut
from vision.pipelines.stages import TrackStage
from vision.pipelines.tracking import follow

FOLDER = Path(__file__).parent.parent / "videos"
PIPELINE = "demo"
CHUNK_FRAMES = 100
LIMITS = DecodeLimits(max_pixels=1_000_000, seconds=60.0, memory_bytes=1 << 30)
FIRST_ITEM = 0


def shipped_films(folder: Path = FOLDER) -> list[tuple[Path, FilmTruth]]:
    """Every film there and its truth, by name."""
    truths = [read_truth(path) for path in sorted(folder.glob("*.json"))]
    return [(folder / truth.file_name, truth) for truth in truths]


def evaluated(film: Path, truth: FilmTruth) -> FilmFinds:
    """What the demo pipeline finds in a film and follows through it."""
    with DecodeProcess(LIMITS) as decoder:
        found = list(analyzed(frames_of(film, decoder), demo_pipeline()))
    return FilmFinds(truth, tracked(found, resolve(PIPELINE).track or TrackStage()))


def demo_pipeline() -> ImagePipeline:
    """With its model loaded, on the processor."""
    pool = ModelPool(
        Catalogue.load(),
        WeightsStore(SHIPPED),
        device="cpu",
        precision="float32",
        memory_bytes=1 << 30,
    )
    return ImagePipeline(resolve(PIPELINE), pool)


def frames_of(film: Path, decoder: DecodeProcess) -> Iterator[Frame]:
    """All of them, chunk after chunk."""
    for chunk in cut(decoder.index(film), None, chunk_frames=CHUNK_FRAMES).chunks:
        with decoder.frames(film, chunk) as reader:
            yield from reader


def analyzed(frames: Iterable[Frame], pipeline: ImagePipeline) -> Iterator[FrameFindings]:
    for frame in frames:
        (found,) = pipeline.run([frame.image])
        yield FrameFindings(frame.frame_index, frame.pts_seconds, found)


def tracked(frames: Sequence[FrameFindings], stage: TrackStage) -> dict[int, FrameFinds]:
    """By a frame's time in whole microseconds."""
    columns = columns_of(frames)
    times = FrameTimes(
        np.array([frame.frame_index for frame in frames], np.int64),
        np.array([frame.pts_seconds for frame in frames], np.float64),
    )
    tracks = follow(columns, times, stage, item=FIRST_ITEM).track_ids
    return {
        microseconds(frame.pts_seconds): FrameFinds(
            boxes=frame.detections.boxes,
            labels=frame.detections.labels,
            track_ids=tracks[columns.frame_index == frame.frame_index],
        )
        for frame in frames
    }


def columns_of(frames: Sequence[FrameFindings]) -> DetectionColumns:
    """All detections one below the other, as they would be stored."""
    counts = [len(frame.detections) for frame in frames]
    rows = [frame.detections for frame in frames]
    total = sum(counts)
    return DetectionColumns(
        chunk=np.ones(total, np.int64),
        ord=np.arange(total),
        frame_index=np.repeat([frame.frame_index for frame in frames], counts),
        pts_seconds=np.repeat([frame.pts_seconds for frame in frames], counts),
        boxes=np.concatenate([found.boxes for found in rows]),
        scores=np.concatenate([_scores(found) for found in rows]),
        class_ids=np.concatenate([found.class_ids for found in rows]),
        labels=np.array([label for found in rows for label in found.labels], object),
    )


def _scores(found: Detections) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.ones(len(found), np.float32) if found.scores is None else found.scores
