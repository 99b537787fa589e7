"""What one worker has at hand to turn claimed units into results."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.provenance import Provenance
from vision.domain.video import Chunk, Frame, ReadingEnd, VideoIndex
from vision.media.decoded_image import DecodedImage
from vision.pipelines.frames_run import FramesRun
from vision.storage.blobs import BlobSource, BlobStore
from vision.storage.detections import DetectionStore
from vision.storage.tracks import TrackStore
from vision.storage.units import UnitStore

OnBeat: TypeAlias = Callable[[], None]
"""Called at least every few seconds while something long gets on; may raise to stop it."""
VideoCodec: TypeAlias = Literal["vp9", "h264"]


class Frames(Iterator[Frame], Protocol):
    """The frames of a chunk, in order of time, as they are decoded."""

    @property
    def end(self) -> ReadingEnd:
        """How reading went, once there is no next frame."""
        ...


class VideoReader(Protocol):
    """Frames from untrusted bytes, without danger to this process; one call at a time."""

    def index(self, source: Path | bytes, *, on_beat: OnBeat = ...) -> VideoIndex:
        """Reads every packet, decodes none. Raises the kinds of BadMedia."""
        ...

    def frames(
        self, source: Path | bytes, chunk: Chunk, *, on_beat: OnBeat = ...
    ) -> AbstractContextManager[Frames]:
        """The decoder belongs to this chunk until the context ends. Raises as `index`, in the
        middle of the frames too: those that came are good.
        """
        ...


class Decoder(VideoReader, Protocol):
    """Pixels from untrusted bytes, without danger to this process; one call at a time."""

    def decode(self, source: Path | bytes) -> DecodedImage:
        """Raises the kinds of BadMedia, OSError when the path can't be opened."""
        ...


class RunsImages(Protocol):
    """A pipeline with its models in memory."""

    @property
    def provenance(self) -> Provenance: ...

    def run(self, images: Sequence[RgbImage], /) -> list[Findings]:
        """One result per image, in order. Raises DeviceMemoryFull, DeviceBroken."""
        ...

    def open_frames(self, chunk: Chunk, state: bytes | None, /) -> FramesRun:
        """For the frames of one chunk; `state` is what the chunk before it in its chain left.

        Raises as `run`, NothingToFollow.
        """
        ...


OpenPipeline: TypeAlias = Callable[[Mapping[str, object]], RunsImages]
"""From a document's normal form. Raises OperatorError, InvalidPipeline, UnknownModel."""


@dataclass(frozen=True, slots=True)
class Station:
    """The parts of one worker. Its owner closes them."""

    owner: str
    """Whose leases these are; unique among living workers."""
    units: UnitStore
    blobs: BlobSource
    """Where the images and videos are."""
    decoders: tuple[Decoder, ...]
    """One thread decodes with each."""
    drawer: Decoder
    """For the thread that draws videos beside them; best one that starts at its first use."""
    open_pipeline: OpenPipeline
    detections: DetectionStore
    tracks: TrackStore
    derived: BlobStore
    """Where crops and annotated videos go."""
    batch_images: int = 1
    """Images that go through the networks together at most."""
    chunk_frames: int = 150
    """Analysed frames of a video in one unit of work, about."""
    video_codec: VideoCodec = "vp9"
    """Of annotated videos."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things may take; see the settings of the same names."""

    lease_seconds: float = 60.0
    heartbeat_seconds: float = 15.0
    stall_seconds: float = 900.0
    drain_seconds: float = 30.0
    max_fails: int = 3
    video_drain_seconds: float = float("inf")
    """So long a draining worker goes on with a video; inf is until its whole time is over. For a
    worker that has all the time in the world, but a person who waits."""
