"""What tests of videos need: video assets and jobs, and made-up results of each kind of unit."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from uuid import UUID

import numpy as np
from storage_service import LEASE_SECONDS, PIPELINE, PROVENANCE, SIZE, Service, some_detections

from vision.domain.detections import Detections
from vision.domain.findings import Findings
from vision.domain.job import (
    ChunkResult,
    Job,
    Lease,
    NewAsset,
    NewJob,
    ProbeResult,
    RenderResult,
    TrackResult,
    WorkResult,
)
from vision.domain.media import MediaFacts, MediaKind
from vision.domain.states import UnitKind
from vision.domain.track import NO_TRACK, TRACKS_PER_ITEM, BestMoment, Track
from vision.domain.video import Chunk, FrameFindings
from vision.storage.blobs import new_key
from vision.storage.database import Database
from vision.storage.tracks import TrackStore

TIME_BASE = Fraction(1, 90_000)
FPS = 10
FRAMES = 10
"""In a chunk, one second."""
VIDEO = MediaFacts(
    MediaKind.VIDEO,
    "video/mp4",
    SIZE,
    duration_seconds=3.0,
    average_fps=10.0,
    real_fps=10.0,
    start_seconds=0.0,
    container="mp4",
    codec="h264",
    rotation=90,
)
TRACKED = {**PIPELINE, "track": {"algorithm": "bytetrack"}}
PARAMETERS = {"algorithm": "bytetrack", "lost_track_seconds": 1.0}


def digest(pipeline: object) -> str:
    return hashlib.sha256(repr(pipeline).encode()).hexdigest()


@dataclass(frozen=True)
class VideoService(Service):
    """The stores and the tracks."""

    @property
    def tracks(self) -> TrackStore:
        return TrackStore(self.database)

    @classmethod
    def over(cls, database: Database) -> "VideoService":
        return cls(**vars(Service.over(database)))

    def video(self, name: str, tenant: str = "default") -> UUID:
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        new = NewAsset(sha256, VIDEO, 100, f"{name}.mp4", new_key(tenant, sha256), tenant=tenant)
        return self.assets.add(new)[0].id

    def video_job(
        self, videos: int = 1, *, pipeline: Mapping[str, object] = TRACKED, prefix: str = "video"
    ) -> Job:
        ids = tuple(self.video(f"{prefix} {number}") for number in range(videos))
        new = NewJob(ids, pipeline, digest(pipeline))
        return self.jobs.submit(new, max_open_units=100_000)[0]

    def claim_kind(self, kind: UnitKind, *, seconds: float = LEASE_SECONDS) -> Lease:
        lease = self.claim_one(seconds=seconds)
        assert lease.kind is kind
        return lease

    def probed(self, chunks: int = 3, *, damage: str | None = None, lost: int = 0) -> list[Lease]:
        """Probes the next video; the leases of its chunks, in order."""
        lease = self.claim_kind(UnitKind.PROBE)
        assert self.units.commit(probe_of(lease, chunks, damage=damage, lost=lost))
        return [self.claim_kind(UnitKind.CHUNK) for _ in range(chunks)]

    def run(self, chunks: int = 3) -> None:
        """Everything that is ready, whatever it is."""
        while leases := self.claim():
            for lease in leases:
                assert self.units.commit(self.result(lease, chunks=chunks))

    def result(self, lease: Lease, *, chunks: int = 3) -> WorkResult:
        if lease.kind is UnitKind.PROBE:
            return probe_of(lease, chunks)
        if lease.kind is UnitKind.CHUNK:
            return chunk_of(lease)
        if lease.kind is UnitKind.TRACK:
            return self.tracked(lease)
        if lease.kind is UnitKind.RENDER:
            return render_of(lease)
        raise AssertionError(f"a unit of {lease.kind}")

    def tracked(
        self, lease: Lease, *, parameters: Mapping[str, object] = PARAMETERS
    ) -> TrackResult:
        """All dogs are one track, all cars another."""
        columns = self.tracks.columns(lease.job_id, lease.item)
        return track_of(lease, columns.labels.tolist(), parameters=parameters)


def probe_of(
    lease: Lease, chunks: int = 3, *, damage: str | None = None, lost: int = 0
) -> ProbeResult:
    made = tuple(chunk(number) for number in range(1, chunks + 1))
    facts = replace(VIDEO, frame_count=chunks * FRAMES, duration_seconds=float(chunks))
    return ProbeResult(lease, facts, made, chunks * FRAMES + lost, damage)


def chunk(number: int) -> Chunk:
    """Every frame of one second, the n-th."""
    return Chunk(
        number=number,
        start_pts=(number - 1) * 90_000,
        end_pts=number * 90_000,
        first_index=(number - 1) * FRAMES,
        time_base=TIME_BASE,
        frames=FRAMES,
        seconds=1.0,
        wanted=None,
    )


def chunk_of(
    lease: Lease,
    found: Detections | None = None,
    *,
    frames: int = FRAMES,
    damage: str | None = None,
) -> ChunkResult:
    """A dog and a car in every second frame, nothing in the others."""
    found = some_detections() if found is None else found
    first = (lease.chunk - 1) * FRAMES
    made = tuple(
        FrameFindings(index, index / FPS, Findings(found if index % 2 == 0 else Detections.empty()))
        for index in range(first, first + frames)
    )
    return ChunkResult(lease, made, PROVENANCE if made else None, damage)


def track_of(
    lease: Lease,
    labels: Sequence[str],
    *,
    parameters: Mapping[str, object] = PARAMETERS,
    crops: bool = True,
) -> TrackResult:
    """One track per label, in order of the alphabet, but none for unicorns."""
    names = sorted(set(labels) - {"unicorn"})
    number = {name: lease.item * TRACKS_PER_ITEM + place for place, name in enumerate(names, 1)}
    ids = np.array([number.get(label, NO_TRACK) for label in labels], np.int64)
    tracks = tuple(track(number[name], name, list(labels).count(name)) for name in names)
    return TrackResult(
        lease,
        ids,
        tracks,
        tuple((100 * place, 100) if crops else None for place in range(len(tracks))),
        new_key("default", "c" * 64) if crops and tracks else None,
        parameters,
    )


def track(track_id: int, label: str, count: int) -> Track:
    return Track(
        track_id=track_id,
        label=label,
        class_id=1,
        first_seconds=0.0,
        last_seconds=2.8,
        first_frame=0,
        last_frame=28,
        detections=count,
        best=BestMoment(4, 0.4, (2.1, 0.0, 9.3, 5.0), 0.9),
        path=np.array([[0.0, 5.7, 2.5], [2.8, 5.7, 2.5]]),
    )


def render_of(lease: Lease) -> RenderResult:
    return RenderResult(lease, new_key("default", "d" * 64), 1234, "video/mp4")
