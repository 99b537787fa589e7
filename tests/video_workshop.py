"""Clips whose frames carry their number, and a pipeline that reads it and finds what moves."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import av
import numpy as np
from workshop import add_file

from vision.domain.detections import Detections
from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.provenance import Provenance, StageProvenance
from vision.domain.stored import DetectionFilter, TrackFilter
from vision.domain.video import Chunk
from vision.engine.parts import Engine
from vision.engine.station import RunsImages
from vision.pipelines.frames_run import FramesAlone, FramesRun

WIDTH, HEIGHT = 128, 64
BITS, BIT_WIDTH, BIT_HEIGHT = 16, 8, 16
LANES = ((16, 40), (40, 64))
"""Rows in which one square each moves."""
SIDE = 12
BRIGHT = 128
NUMBER_UNIT = 1e-5
"""A detection's score is 0.5 and so much per frame number: it tells which frame was seen."""
SPOTS: Mapping[str, object] = {"spots": {"seconds": 0.0}}
FOLLOWED: Mapping[str, object] = {**SPOTS, "track": {"algorithm": "bytetrack"}}


def picture(number: int) -> RgbImage:
    """The n-th frame: its number in black and white, and two squares on their way."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for bit in range(BITS):
        if number >> bit & 1:
            image[:BIT_HEIGHT, bit * BIT_WIDTH : (bit + 1) * BIT_WIDTH] = 255
    for lane, (top, _bottom) in enumerate(LANES):
        x = (number * (lane + 1)) % (WIDTH - SIDE)
        image[top + 6 : top + 6 + SIDE, x : x + SIDE] = 255
    return image


def write_clip(
    path: Path,
    numbers: Iterable[int],
    *,
    fps: int = 10,
    keyframe_every: int = 10,
    pts: Sequence[int] | None = None,
    index_first: bool = False,
    draw: Callable[[int], RgbImage] = picture,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Path:
    """An MP4 of the pictures with these numbers; `pts` in units of 1 / fps, else 0, 1, 2, …

    With its index first, the file can be cut short and still be read up to there.
    """
    options = {"movflags": "faststart"} if index_first else {}
    with av.open(str(path), "w", container_options=options) as file:
        stream = file.add_stream("mpeg4", fps)
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        stream.codec_context.gop_size = keyframe_every
        stream.codec_context.time_base = Fraction(1, fps)
        stream.options = {"qscale": "3", "sc_threshold": "1000000000"}
        for place, number in enumerate(numbers):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            frame.pts = place if pts is None else pts[place]
            frame.time_base = Fraction(1, fps)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def add_clip(engine: Engine, frames: int, *, fps: int = 10, keyframe_every: int = 10) -> UUID:
    path = engine.blobs.staging / "clip.mp4"
    return add_file(engine, write_clip(path, range(frames), fps=fps, keyframe_every=keyframe_every))


class SpotPipeline:
    """One detection per lane with something bright in it."""

    def __init__(self, seconds_per_image: float = 0.0) -> None:
        self._seconds = seconds_per_image
        self.provenance = Provenance(
            stages=(StageProvenance("detect", "spots", "0" * 64, {}),),
            code_version="0",
            device="cpu",
            precision="float32",
        )

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        time.sleep(self._seconds * len(images))
        return [Findings(found_in(image)) for image in images]

    def open_frames(self, _chunk: Chunk, _state: bytes | None) -> FramesRun:
        return FramesAlone(self.run)


def open_spot_pipeline(document: Mapping[str, object]) -> RunsImages:
    """From `{"spots": {"seconds": …}}`."""
    options = document["spots"]
    assert isinstance(options, dict)
    return SpotPipeline(options["seconds"])


def found_in(image: RgbImage) -> Detections:
    is_bright = image.min(axis=2) > BRIGHT
    boxes = [_box(is_bright, top, bottom) for top, bottom in LANES]
    score = 0.5 + number_of(image) * NUMBER_UNIT
    return Detections(
        boxes=np.array(boxes, np.float32),
        labels=("spot",) * len(boxes),
        class_ids=np.ones(len(boxes), np.int64),
        scores=np.full(len(boxes), score, np.float32),
    )


def _box(is_bright: np.ndarray, top: int, bottom: int) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(is_bright[top:bottom])
    return columns.min(), top + rows.min(), columns.max() + 1, top + rows.max() + 1


def number_of(image: RgbImage) -> int:
    middle = image[BIT_HEIGHT // 2, BIT_WIDTH // 2 :: BIT_WIDTH, 0][:BITS] > BRIGHT
    return int(sum(1 << bit for bit, is_set in enumerate(middle) if is_set))


def seen_frames(engine: Engine, job_id: UUID) -> list[int]:
    """The number in each analysed frame, in stored order."""
    rows = engine.detections.stream(DetectionFilter(job_id=job_id))
    firsts = {(row.item, row.frame_index): row for row in rows}
    scores = [row.score or 0.0 for row in firsts.values()]
    return [round((score - 0.5) / NUMBER_UNIT) for score in scores]


def as_text(engine: Engine, job_id: UUID) -> str:
    """Everything stored about a job's detections and tracks, but for ids that every run gets."""
    return "\n".join([*_detection_lines(engine, job_id), *_track_lines(engine, job_id)])


def _detection_lines(engine: Engine, job_id: UUID) -> Iterator[str]:
    for row in engine.detections.stream(DetectionFilter(job_id=job_id)):
        when = (row.item, row.frame_index, row.pts_seconds, row.track_id)
        mask = None if row.mask is None else row.mask.to_json()
        yield repr((when, row.label, row.class_id, row.box, row.score, mask))


def _track_lines(engine: Engine, job_id: UUID) -> Iterator[str]:
    for row in engine.tracks.stream(TrackFilter(job_id=job_id)):
        one = row.track
        times = (one.first_seconds, one.last_seconds, one.first_frame, one.last_frame)
        ids = (row.item, one.track_id, one.label, one.detections)
        yield repr((ids, times, one.best, one.path.tolist(), row.crop))
