"""A pipeline whose device trouble comes out in the product's own words. Torch."""

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.video import Chunk, Frame
from vision.errors import DeviceBroken, DeviceMemoryFull
from vision.pipelines.frames_run import FramesRun, StretchEnd
from vision.pipelines.image import ImagePipeline


class DevicePipeline:
    """A pipeline on a device that other pipelines used before it and will use after it."""

    def __init__(self, pipeline: ImagePipeline) -> None:
        self._pipeline = pipeline
        self.provenance = pipeline.provenance

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        """One result per image, in order. Raises DeviceMemoryFull, DeviceBroken."""
        with _translated(f"{len(images)} images at once don't fit"):
            return self._pipeline.run(images)

    def open_frames(self, chunk: Chunk, state: bytes | None = None) -> FramesRun:
        """For the frames of one chunk. Raises as `run`, and NothingToFollow."""
        with _translated("what is known of the followed objects doesn't fit"):
            return _DeviceFrames(self._pipeline.open_frames(chunk, state))


class _DeviceFrames(FramesRun):
    """The same of the frames of a chunk."""

    def __init__(self, frames: FramesRun) -> None:
        self._frames = frames
        self.stands_alone, self.remembers = frames.stands_alone, frames.remembers

    def run(self, frames: Sequence[Frame]) -> list[Findings]:
        with _translated(f"{len(frames)} frames at once don't fit"):
            return self._frames.run(frames)

    def watch(self, frames: Sequence[Frame]) -> None:
        with _translated("a clip doesn't fit"):
            self._frames.watch(frames)

    def end(self) -> StretchEnd:
        with _translated("a clip doesn't fit"):
            return self._frames.end()


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        # What didn't fit lies in the frames that the error came through, and it is kept: the half
        # that is tried next needs the room.
        traceback.clear_frames(error.__traceback__)
        torch.cuda.empty_cache()
        raise DeviceMemoryFull(what) from error
    except torch.AcceleratorError as error:
        raise DeviceBroken(str(error).partition("\n")[0]) from error
