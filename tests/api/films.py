"""What workers do with a video, by hand: real claims and real commits of chosen results.

The film is 10 s at 10 frames a second on a clock that begins at 1 s, in two chunks. A car is in it
from the first frame up to 8 s of it, a person from 5 s on; the last frame is empty.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from uuid import UUID, uuid4

import httpx
import numpy as np
from pictures import picture
from work import PROVENANCE, images_result, two_things

from vision.domain.detections import Detections
from vision.domain.findings import Findings
from vision.domain.image import ImageSize
from vision.domain.job import (
    ChunkResult,
    Lease,
    NewAsset,
    ProbeResult,
    RenderResult,
    TrackResult,
    WorkResult,
)
from vision.domain.media import MediaFacts, MediaKind
from vision.domain.states import UnitKind
from vision.domain.track import BestMoment, Track
from vision.domain.video import Chunk, FrameFindings
from vision.engine.parts import Engine
from vision.storage.blobs import new_key

FRAMES = 100
CHUNK_FRAMES = 50
FPS = 10
START_SECONDS = 1.0
CAR_FRAMES = range(80)
PERSON_FRAMES = range(50, FRAMES - 1)
FACTS = MediaFacts(
    kind=MediaKind.VIDEO,
    media_type="video/mp4",
    size=ImageSize(width=64, height=48),
    duration_seconds=10.0,
    average_fps=10.0,
    frame_count=FRAMES,
    real_fps=10.0,
    start_seconds=START_SECONDS,
    container="mp4",
    codec="h264",
    rotation=90,
)
CROP = picture(16, 16)
CROP_START = 7
MP4 = bytes(range(256)) * 40
"""Stands for an annotated video where only its bytes matter."""


def keep_film(engine: Engine, *, name: str = "yard.mp4") -> UUID:
    """Id of a stored video. Its bytes are no video: nothing here reads them."""
    sha256 = uuid4().hex * 2
    blob_key = new_key("default", sha256)
    engine.blobs.put_bytes(b"not read", blob_key)
    new = NewAsset(sha256=sha256, facts=FACTS, size_bytes=8, filename=name, blob_key=blob_key)
    return engine.assets.add(new)[0].id


def submitted(client: httpx.Client, *asset_ids: UUID) -> str:
    """Id of a job over stored files."""
    body = {"asset_ids": [str(one) for one in asset_ids], "pipeline": "demo"}
    answer = client.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def seconds_of(frame: int) -> float:
    """On the film's own clock."""
    return START_SECONDS + frame / FPS


@dataclass(frozen=True)
class Studio:
    """Workers whose every move the test decides."""

    engine: Engine
    damage: str | None = None
    """Of the second chunk, whose last ten frames are then missing."""

    def take(self) -> Lease | None:
        """The next unit, if there is one."""
        leases = self.engine.units.claim("studio", lease_seconds=60)
        assert len(leases) < 2, "a video's units come alone"
        return leases[0] if leases else None

    def work(self, *, until: UnitKind | None = None) -> Lease | None:
        """Does what is there to do; stops with the first unit of that kind in hand, not done."""
        while (lease := self.take()) is not None:
            if lease.kind is until:
                return lease
            self.finish(lease)
        return None

    def finish(self, lease: Lease) -> None:
        assert self.engine.units.commit(self.result(lease))

    def result(self, lease: Lease) -> WorkResult:
        if lease.kind is UnitKind.IMAGES:
            return images_result(lease, two_things)
        if lease.kind is UnitKind.PROBE:
            return ProbeResult(lease, FACTS, chunks=chunks(), frames_declared=FRAMES)
        if lease.kind is UnitKind.CHUNK:
            return self._chunk_result(lease)
        if lease.kind is UnitKind.TRACK:
            return self._track_result(lease)
        blob_key = self._kept(MP4)
        return RenderResult(lease, blob_key, size_bytes=len(MP4), media_type="video/mp4")

    def _chunk_result(self, lease: Lease) -> ChunkResult:
        first = (lease.chunk - 1) * CHUNK_FRAMES
        is_damaged = self.damage is not None and lease.chunk == 2
        end = first + CHUNK_FRAMES - (10 if is_damaged else 0)
        frames = tuple(frame_detections(index) for index in range(first, end))
        damage = self.damage if is_damaged else None
        return ChunkResult(lease, frames, provenance=PROVENANCE, damage=damage)

    def _track_result(self, lease: Lease) -> TrackResult:
        base = lease.item * 1_000_000
        tracks = (track(base + 1, "car", CAR_FRAMES), track(base + 2, "person", PERSON_FRAMES))
        stored = self.engine.tracks.columns(lease.job_id, lease.item)
        ids = np.where(stored.labels == "car", base + 1, base + 2).astype(np.int64)
        return TrackResult(
            lease,
            track_ids=ids,
            tracks=tracks,
            crops=((CROP_START, len(CROP)), None),
            crops_blob_key=self._kept(b"x" * CROP_START + CROP + b"y" * 9),
            parameters=lease.pipeline["track"],  # type: ignore[arg-type]
        )

    def _kept(self, data: bytes) -> str:
        blob_key = new_key("default", uuid4().hex * 2)
        self.engine.blobs.put_bytes(data, blob_key)
        return blob_key


def chunks() -> tuple[Chunk, ...]:
    one = Chunk(
        number=1,
        start_pts=10,
        end_pts=60,
        first_index=0,
        time_base=Fraction(1, FPS),
        frames=CHUNK_FRAMES,
        seconds=5.0,
        wanted=None,
    )
    return one, replace(one, number=2, start_pts=60, end_pts=None, first_index=CHUNK_FRAMES)


def frame_detections(index: int) -> FrameFindings:
    """The car moves right by half a pixel a frame; the person stands."""
    found = []
    if index in CAR_FRAMES:
        found.append(("car", 2, 0.9, (index / 2, 10.0, index / 2 + 20, 30.0)))
    if index in PERSON_FRAMES:
        found.append(("person", 0, 0.6, (50.0, 5.0, 60.0, 45.0)))
    detections = Detections(
        boxes=np.array([one[3] for one in found], np.float32).reshape(-1, 4),
        labels=tuple(one[0] for one in found),
        class_ids=np.array([one[1] for one in found], np.int64),
        scores=np.array([one[2] for one in found], np.float32),
    )
    return FrameFindings(index, seconds_of(index), Findings(detections))


def track(track_id: int, label: str, frames: range) -> Track:
    first, last = frames[0], frames[-1]
    path = [[seconds_of(first), 10, 20], [seconds_of(last), 50, 20]]
    return Track(
        track_id=track_id,
        label=label,
        class_id=2 if label == "car" else 0,
        first_seconds=seconds_of(first),
        last_seconds=seconds_of(last),
        first_frame=first,
        last_frame=last,
        detections=len(frames),
        best=BestMoment(first, seconds_of(first), (0.0, 10.0, 20.0, 30.0), score=0.9),
        path=np.array(path, np.float64),
    )
