"""What the service is asked, what it owes, and what a worker hands in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from vision.domain.detections import Detections
from vision.domain.findings import ClassScore, ClipClasses, Findings
from vision.domain.media import MediaFacts
from vision.domain.provenance import Provenance
from vision.domain.states import ItemState, JobState, UnitKind
from vision.domain.track import Track
from vision.domain.video import Chunk, FrameFindings

DEFAULT_TENANT = "default"
MAX_ITEMS_PER_UNIT = 32
"""Images in one shard: large enough that the queue's share of 5 ms an image is under 3 %
(docs/benchmarks.md), small enough to lose little when a worker dies."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A stored file."""

    id: UUID
    tenant: str
    sha256: str
    """Hexadecimal, of the bytes."""
    facts: MediaFacts
    size_bytes: int
    filename: str
    """For display only: never part of a path."""
    tags: tuple[str, ...]
    blob_key: str
    created_at: float
    """Seconds since 1970 by the database's clock, like every time here."""


@dataclass(frozen=True, slots=True)
class NewAsset:
    """A file whose blob is already durable."""

    sha256: str
    facts: MediaFacts
    size_bytes: int
    filename: str
    blob_key: str
    tenant: str = DEFAULT_TENANT
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewJob:
    """A request for work, already validated."""

    asset_ids: tuple[UUID, ...]
    pipeline: Mapping[str, object]
    """The pipeline document, normalised."""
    pipeline_sha256: str
    """Units with equal hashes may be claimed together."""
    tenant: str = DEFAULT_TENANT
    priority: int = 0
    """Higher goes first."""
    tags: tuple[str, ...] = ()
    webhook: str | None = None
    idempotency_key: str | None = None
    request_sha256: str = ""
    """Same key with another hash is another request: refused."""
    items_per_unit: int = MAX_ITEMS_PER_UNIT
    """How much is stored at once, and so lost at most when a worker dies; 1 where nothing that
    was done may be done again."""


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """Why an item has no results."""

    code: str
    """Stable, for programs."""
    detail: str
    """For people."""


@dataclass(frozen=True, slots=True)
class VideoProgress:
    """How far the videos of a job, or one of them, are. Totals grow while videos are probed."""

    frames_done: int
    """Analysed, those of chunks in work included."""
    frames_total: int
    """To analyse; 0 until the first video is probed."""
    seconds_done: float
    """Of video."""
    seconds_total: float
    fraction: float
    """0 to 1; of a job: over all its items, images included, each with the same weight."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands."""

    id: UUID
    tenant: str
    state: JobState
    pipeline: Mapping[str, object]
    pipeline_sha256: str
    priority: int
    tags: tuple[str, ...]
    items_total: int
    items_done: int
    items_failed: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    error: ItemFailure | None
    """Set when the job failed as a whole, such as by a missing model file."""
    provenances: tuple[Mapping[str, object], ...] = ()
    """`Provenance.to_json` of every distinct run that contributed, plus its `digest`."""
    video: "VideoProgress | None" = None
    """None for a job without videos."""
    run: int = 1
    """Counts how often it was set going: by its submission, by retries and by tracking anew."""


@dataclass(frozen=True, slots=True)
class Item:
    """One asset in one job, as it stands."""

    job_id: UUID
    index: int
    """Position in the job's asset list, from 0."""
    asset_id: UUID
    filename: str
    state: ItemState
    error: ItemFailure | None
    detections: int
    counts: Mapping[str, int]
    """Detections per label."""
    facts: MediaFacts
    warnings: tuple[str, ...]
    provenance_digest: str | None
    video: VideoProgress | None = None
    """None for an image."""
    frames_declared: int | None = None
    """Of a video: how many would be analysed if the file were whole. More than
    `video.frames_done` at the end means that the item is partial."""
    track_parameters: Mapping[str, object] | None = None
    """Of the tracks that it has: algorithm and parameters."""
    embeddings: int = 0
    """How many are stored, of it, its frames and its detections."""
    classes: tuple[ClassScore, ...] | None = None
    """The best few of what a classifier said of it, or of a video anywhere in it; None when none
    was asked."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One image or video of a unit, with what a worker needs to fetch it."""

    index: int
    asset_id: UUID
    blob_key: str
    filename: str


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one unit until it expires; `attempt` is the fencing token."""

    job_id: UUID
    item: int
    chunk: int
    attempt: int
    fails: int
    pipeline: Mapping[str, object]
    pipeline_sha256: str
    items: tuple[WorkItem, ...]
    """In order; the first has index `item`. One for a video."""
    kind: UnitKind = UnitKind.IMAGES
    plan: Mapping[str, object] | None = None
    """Of a CHUNK unit: `Chunk.to_json`."""
    tenant: str = DEFAULT_TENANT
    """Of the job: in whose name a worker reads results and puts blobs."""


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What came of one image: findings or a failure, never both."""

    index: int
    findings: Findings | None = None
    failure: ItemFailure | None = None
    facts: MediaFacts | None = None

    def __post_init__(self) -> None:
        if (self.findings is None) == (self.failure is None):
            raise ValueError("an item has either findings or a failure")

    @property
    def detections(self) -> Detections | None:
        return None if self.findings is None else self.findings.detections


@dataclass(frozen=True, slots=True)
class UnitResult:
    """What a worker commits for one lease: one result per item, in order."""

    lease: Lease
    items: tuple[ItemResult, ...]
    provenance: Provenance | None = field(default=None)
    """None only when every item failed."""


TRACK_CHUNK = 2_000_000_000
"""`chunk` of a video's tracking unit: after every chunk of frames. Its probe is chunk 0."""
RENDER_CHUNK = 2_000_000_001


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """A video's chunks; the commit makes units of them."""

    lease: Lease
    facts: MediaFacts
    """The exact ones, in place of the header's."""
    chunks: tuple[Chunk, ...]
    """At least one; numbered from 1 without gaps."""
    frames_declared: int
    """How many frames there would be to analyse if the file were whole: the sum of the chunks'
    frames, and more than that when the file was cut short."""
    damage: str | None = None


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """What came of one chunk of frames."""

    lease: Lease
    frames: tuple[FrameFindings, ...]
    """In order of time; fewer than planned when some could not be decoded."""
    provenance: Provenance | None
    """None only without frames."""
    damage: str | None = None
    clips: tuple[ClipClasses, ...] = ()
    """What was said of stretches of the chunk, in order of time."""
    state: bytes | None = None
    """Of a followed video: what its next chunk begins with, until that is durable."""
    state_blob_key: str | None = None
    """Of the same, once it is durable: before the result is committed."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackResult:
    """Replaces the tracks that the item had."""

    lease: Lease
    track_ids: NDArray[np.int64]
    """(n,) of every stored detection in stored order; NO_TRACK for none."""
    tracks: tuple[Track, ...]
    crops: tuple[tuple[int, int] | None, ...]
    """Per track, where in the blob its JPEG is: offset and length; None when it couldn't be had."""
    crops_blob_key: str | None
    """Already durable; None without crops."""
    parameters: Mapping[str, object]
    """Algorithm and every parameter, defaults included: goes to the item's provenance."""


@dataclass(frozen=True, slots=True)
class RenderResult:
    """An annotated video, already durable."""

    lease: Lease
    blob_key: str
    size_bytes: int
    media_type: str


WorkResult: TypeAlias = UnitResult | ProbeResult | ChunkResult | TrackResult | RenderResult
