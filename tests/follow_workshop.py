"""Clips in which colored squares move through fading light, and a pipeline that follows them.

The pipeline is the product's own; its models are classes without weights. The follower has to learn
how the light fades: one that starts anew in the middle loses what it follows.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import numpy as np
from color_follower import ColorFollower
from numpy.typing import NDArray
from video_workshop import HEIGHT, WIDTH, write_clip
from workshop import add_file

from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.domain.stored import DetectionFilter, StoredDetection
from vision.engine.parts import Engine
from vision.engine.station import RunsImages
from vision.models.base import (
    ClipClassifier,
    DetectOptions,
    Detector,
    Embedder,
    Model,
    ModelIdentity,
)
from vision.models.pool import ModelPool
from vision.models.spec import Task
from vision.pipelines.document import parse_pipeline
from vision.pipelines.image import ImagePipeline

SIZE = ImageSize(width=WIDTH, height=HEIGHT)
SIDE = 14
RED, BLUE = np.array([250, 20, 20]), np.array([20, 20, 250])
RED_TOP, BLUE_TOP = 8, 40
FPS = 10
NAMED = {"red": {"id": 1, "label": "ball"}, "blue": {"id": 2}}


def scene(number: int) -> RgbImage:
    """A red square that goes right, a blue one that goes left, and less light with every frame."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    light = 1 - number / 160
    for color, x, top in ((RED, red_left(number), RED_TOP), (BLUE, blue_left(number), BLUE_TOP)):
        image[top : top + SIDE, x : x + SIDE] = (color * light).astype(np.uint8)
    return image


def red_left(number: int) -> int:
    return number % (WIDTH - SIDE)


def blue_left(number: int) -> int:
    return WIDTH - SIDE - red_left(number)


def red_at(number: int, **also: object) -> dict[str, object]:
    """Pointed at in its middle, in the frame of this number."""
    x, y = red_left(number) + SIDE / 2, RED_TOP + SIDE / 2
    return {"id": 1, "at_seconds": number / FPS, "points": [[x, y, 1]], "label": "ball", **also}


def blue_at(number: int, **also: object) -> dict[str, object]:
    """In a box."""
    x, y = blue_left(number), BLUE_TOP
    box = [x + 2, y + 2, x + SIDE - 2, y + SIDE - 2]
    return {"id": 2, "at_seconds": number / FPS, "box": box, **also}


def following(*objects: Mapping[str, object], **stage: object) -> dict[str, object]:
    """A document with one follow stage, in its normal form."""
    asked = {"follow": {"model": "color", "objects": list(objects), **stage}}
    return parse_pipeline(asked).normal_form


def write_scenes(path: Path, frames: int, *, keyframe_every: int = 10, **how: object) -> Path:
    return write_clip(
        path,
        range(frames),
        fps=FPS,
        keyframe_every=keyframe_every,
        draw=scene,
        **how,  # type: ignore[arg-type]
    )


def add_scenes(engine: Engine, frames: int, **how: object) -> UUID:
    path = engine.blobs.staging / "scenes.mp4"
    return add_file(engine, write_scenes(path, frames, **how))  # type: ignore[arg-type]


class ColorDetector(Detector):
    """Finds the red square, and less surely the blue one."""

    labels = ("background", "red thing", "blue thing")

    def __init__(self) -> None:
        super().__init__(ModelIdentity("colors", "1" * 64, "cpu", "float32"), memory_bytes=0)

    def _detect(self, images: Sequence[RgbImage], _options: DetectOptions) -> list[Detections]:
        return [self._found(image) for image in images]

    def _found(self, image: RgbImage) -> Detections:
        red, _, blue = image.astype(int).transpose(2, 0, 1)
        boxes = [_box(where) for where in (red - blue > 60, blue - red > 60)]
        kept = [n for n, one in enumerate(boxes) if one is not None]
        return Detections(
            boxes=np.array([boxes[n] for n in kept], np.float32).reshape(-1, 4),
            labels=tuple(self.labels[n + 1] for n in kept),
            class_ids=np.array(kept, np.int64) + 1,
            scores=np.array([0.9, 0.8], np.float32)[kept],
        )


def _box(where: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    rows, columns = np.nonzero(where)
    if not len(rows):
        return None
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


class MeanColor(Embedder):
    """A picture's mean color."""

    dimensions = 3

    def __init__(self) -> None:
        super().__init__(ModelIdentity("mean", "2" * 64, "cpu", "float32"), memory_bytes=0)

    def _embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        return np.array([image.mean(axis=(0, 1)) for image in images], np.float32)


class RedMoves(ClipClassifier):
    """Tells where the red square goes from the first to the last frame of a clip."""

    labels = ("rightward", "leftward")
    clip_frames = 8

    def __init__(self) -> None:
        super().__init__(ModelIdentity("moves", "3" * 64, "cpu", "float32"), memory_bytes=0)

    def _scores(self, clip: Sequence[RgbImage]) -> NDArray[np.float32]:
        step = red_middle(clip[-1]) - red_middle(clip[0])
        return np.array([step > 0, step < 0], np.float32)


def red_middle(image: RgbImage) -> float:
    """Of the red square, across."""
    red, _, blue = image.astype(int).transpose(2, 0, 1)
    return float(np.nonzero(red - blue > 60)[1].mean())


MODELS: Mapping[str, type[Model]] = {
    "color": ColorFollower,
    "colors": ColorDetector,
    "mean": MeanColor,
    "moves": RedMoves,
}


class ColorPool:
    """Stands for a `ModelPool`."""

    def __init__(self) -> None:
        self.catalogue = {"moves": SimpleNamespace(tasks={Task.ACTIONS})}

    def get(self, name: str, _interface: type[Model]) -> Model:
        """The follower is one of words too, though not declared so."""
        return MODELS[name]()  # type: ignore[call-arg]


def open_color_pipeline(document: Mapping[str, object]) -> RunsImages:
    return ImagePipeline(parse_pipeline(document), cast(ModelPool, ColorPool()))


def rows_of(engine: Engine, job_id: UUID) -> list[StoredDetection]:
    """In stored order."""
    return list(engine.detections.stream(DetectionFilter(job_id=job_id)))


def masks_of(engine: Engine, job_id: UUID) -> dict[tuple[int, int], str]:
    """Run lengths by frame and track."""
    return {
        (row.frame_index or 0, row.track_id or 0): "" if row.mask is None else row.mask.counts
        for row in rows_of(engine, job_id)
    }
