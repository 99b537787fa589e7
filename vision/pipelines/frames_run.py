"""Frames of a chunk through a pipeline: as images, or with a memory of those before."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vision.domain.findings import ClipClasses, Findings
from vision.domain.image import RgbImage
from vision.domain.video import Frame


@dataclass(frozen=True, slots=True)
class StretchEnd:
    """What there is beside the frames' findings, once all of a chunk's frames were shown."""

    clips: tuple[ClipClasses, ...] = ()
    """In order of time."""
    state: bytes | None = None
    """What the next chunk of the chain begins with; None without one, and when nothing changed."""


class FramesRun(ABC):
    """One way through one chunk: each frame is given to `run`, then to `watch`.

    After an error in `run` it is of no use any more, unless frames stand alone.
    """

    stands_alone: bool
    """What is found in a frame depends on that frame only: then some may be tried again."""
    remembers: bool
    """Something of earlier frames is kept: another run can't take over in the middle."""

    @abstractmethod
    def run(self, frames: Sequence[Frame]) -> list[Findings]:
        """One result per frame, in order. Raises as `ImagePipeline.run`."""

    @abstractmethod
    def watch(self, frames: Sequence[Frame]) -> None:
        """Frames that were run, for what is said of stretches."""

    @abstractmethod
    def end(self) -> StretchEnd:
        """No more frames come."""


class FramesAlone(FramesRun):
    """Each frame is an image like any other."""

    stands_alone = True
    remembers = False

    def __init__(self, run: Callable[[Sequence[RgbImage]], list[Findings]]) -> None:
        self._run = run

    def run(self, frames: Sequence[Frame]) -> list[Findings]:
        return self._run([frame.image for frame in frames])

    def watch(self, frames: Sequence[Frame]) -> None:
        """Nothing is said of stretches."""

    def end(self) -> StretchEnd:
        """Nothing is left."""
        return StretchEnd()
