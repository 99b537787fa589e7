"""What one worker has at hand to turn claimed units into results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from vision.domain.detections import Detections
from vision.domain.image import RgbImage
from vision.domain.provenance import Provenance
from vision.media.decoded_image import DecodedImage
from vision.storage.blobs import BlobSource
from vision.storage.units import UnitStore


class Decoder(Protocol):
    """Pixels from untrusted bytes, without danger to this process; one call at a time."""

    def decode(self, source: Path | bytes) -> DecodedImage:
        """Raises the kinds of BadMedia, OSError when the path can't be opened."""
        ...


class RunsImages(Protocol):
    """A pipeline with its models in memory."""

    @property
    def provenance(self) -> Provenance: ...

    def run(self, images: Sequence[RgbImage]) -> list[Detections]:
        """One result per image, in order. Raises DeviceMemoryFull, DeviceBroken."""
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
    decoders: tuple[Decoder, ...]
    """One thread decodes with each."""
    open_pipeline: OpenPipeline
    batch_images: int = 1
    """Images that go through the networks together at most."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things may take; see the settings of the same names."""

    lease_seconds: float = 60.0
    heartbeat_seconds: float = 15.0
    stall_seconds: float = 900.0
    drain_seconds: float = 30.0
    max_fails: int = 3
