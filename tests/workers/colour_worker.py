"""A real worker whose pipeline is the workshop's: `python colour_worker.py`.

Pictures and frames of the deadly number kill the process that infers them, as broken native code
does, or make it hang.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.video import Chunk, Frame
from vision.engine.parts import Engine
from vision.engine.station import RunsImages, Station
from vision.media.decode_process import DecodeProcess
from vision.models.pool import ModelPool
from vision.pipelines.document import parse_pipeline
from vision.pipelines.frames_run import FramesRun
from vision.pipelines.image import ImagePipeline
from vision.settings import Settings
from workers.prefork import serve

sys.path.insert(0, str(Path(__file__).parents[1]))
from follow_workshop import ColorPool
from video_workshop import SpotPipeline, number_of
from workshop import LIMITS, ColourPipeline

DEADLY_NUMBER = 13
SECONDS_PER_FRAME = 0.01


class DeadlyPipeline(ColourPipeline):
    """Doesn't survive one picture."""

    def __init__(self, seconds_per_image: float, death: str) -> None:
        super().__init__(seconds_per_image)
        self._death = death

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        if any(tuple(image[0, 0]) == (DEADLY_NUMBER, 0, 0) for image in images):
            self._die()
        return super().run(images)

    def _die(self) -> None:
        if self._death == "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        while True:
            time.sleep(1)


class DeadlySpots(SpotPipeline):
    """Doesn't survive one frame."""

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        if any(number_of(image) == DEADLY_NUMBER for image in images):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(images)


class SlowFollowing(ImagePipeline):
    """Slow enough to be killed in the middle."""

    def open_frames(self, chunk: Chunk, state: bytes | None = None) -> FramesRun:
        real = super().open_frames(chunk, state)
        run = real.run

        def slowly(frames: Sequence[Frame]) -> list[Findings]:
            time.sleep(SECONDS_PER_FRAME * len(frames))
            return run(frames)

        real.run = slowly  # type: ignore[method-assign]
        return real


def open_pipeline(document: Mapping[str, object]) -> RunsImages:
    """From `{"colour": {"seconds": …, "deadly": …}}`, the same with spots, or a follow stage."""
    if "follow" in document:
        return SlowFollowing(parse_pipeline(document), cast(ModelPool, ColorPool()))
    spots = document.get("spots")
    if isinstance(spots, dict):
        return (DeadlySpots if "deadly" in spots else SpotPipeline)(spots["seconds"])
    options = document["colour"]
    assert isinstance(options, dict)
    if "deadly" in options:
        return DeadlyPipeline(options["seconds"], options["deadly"])
    return ColourPipeline(options["seconds"])


@contextmanager
def open_station(engine: Engine, settings: Settings, *, owner: str) -> Iterator[Station]:
    with DecodeProcess(LIMITS) as decoder, DecodeProcess(LIMITS) as drawer:
        yield Station(
            owner=owner,
            units=engine.units,
            blobs=engine.blobs,
            decoders=(decoder,),
            drawer=drawer,
            open_pipeline=open_pipeline,
            detections=engine.detections,
            tracks=engine.tracks,
            derived=engine.blobs,
            chunk_frames=settings.chunk_frames,
            video_codec=settings.video_codec,
        )


if __name__ == "__main__":
    serve(Settings(), open_station)
