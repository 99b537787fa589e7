"""What is known so far of a unit in work: until its result is whole."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from vision.domain.job import ChunkResult, ItemFailure, ItemResult, Lease, UnitResult
from vision.domain.provenance import Provenance
from vision.domain.states import UnitKind
from vision.domain.video import FrameFindings
from vision.pipelines.frames_run import StretchEnd

NOTHING_MORE = StretchEnd()


@dataclass(slots=True)
class UnitRecord:
    """A unit of any kind; one of kind PROBE, TRACK or RENDER has no more to it."""

    lease: Lease
    provenance: Provenance | None = None
    is_started: bool = False
    """Whether a picture of it was in the networks: then much would be lost with it."""
    frames_done: int = 0

    def result(self) -> UnitResult | ChunkResult | None:
        """None while something is missing."""
        return None


@dataclass(slots=True)
class ImagesRecord(UnitRecord):
    """A shard of images."""

    results: dict[int, ItemResult] = field(default_factory=dict)

    def result(self) -> UnitResult | None:
        if len(self.results) < len(self.lease.items):
            return None
        ordered = tuple(self.results[item.index] for item in self.lease.items)
        return UnitResult(self.lease, ordered, self.provenance)


@dataclass(slots=True)
class ChunkRecord(UnitRecord):
    """A chunk of frames: whole when reading has ended and every frame read has an outcome."""

    frames: list[FrameFindings] = field(default_factory=list)
    """In the order in which they were read: of time, or the opposite."""
    failed: list[tuple[int, ItemFailure]] = field(default_factory=list)
    """By frame index."""
    frames_read: int | None = None
    """Known when reading has ended."""
    damage: str | None = None
    end: StretchEnd = NOTHING_MORE
    """Known when reading has ended."""

    def add(
        self, found: Sequence[FrameFindings], failed: Sequence[tuple[int, ItemFailure]]
    ) -> None:
        self.frames.extend(found)
        self.failed.extend(failed)
        self.frames_done += len(found) + len(failed)

    def result(self) -> ChunkResult | None:
        if self.frames_read is None or self.frames_done < self.frames_read:
            return None
        return ChunkResult(
            self.lease,
            tuple(sorted(self.frames, key=lambda frame: frame.frame_index)),
            self.provenance if self.frames else None,
            damage=self._whole_damage(),
            clips=self.end.clips,
            state=self.end.state,
        )

    def _whole_damage(self) -> str | None:
        told = [] if self.damage is None else [self.damage]
        if self.failed:
            index, failure = min(self.failed, key=lambda one: one[0])
            told.append(
                f"{len(self.failed)} of its frames could not be analysed, "
                f"the first is frame {index}: {failure.detail}"
            )
        return "; ".join(told) or None


def record_of(lease: Lease) -> UnitRecord:
    """Empty, of the kind that the lease needs."""
    if lease.kind is UnitKind.IMAGES:
        return ImagesRecord(lease)
    if lease.kind is UnitKind.CHUNK:
        return ChunkRecord(lease)
    return UnitRecord(lease)
