"""Vectors and names as a pipeline would hand them in, for images and for videos."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from storage_service import FACTS, PROVENANCE, Service, some_detections
from video_service import FPS, FRAMES, VideoService

from vision.domain.detections import Detections
from vision.domain.findings import Classes, ClipClasses, Findings, unit_length
from vision.domain.job import ChunkResult, ItemResult, Job, Lease, UnitResult
from vision.domain.provenance import StageProvenance
from vision.domain.states import UnitKind
from vision.domain.video import FrameFindings
from vision.storage.pages import Page

DIMENSIONS = 5
EMBED = StageProvenance("embed", "small_dino", "e" * 64, {"of": "image"})
CLASSIFY = StageProvenance("classify", "small_vit", "c" * 64, {"top": 2})
RUN = replace(PROVENANCE, stages=(*PROVENANCE.stages, EMBED, CLASSIFY))


def vectors(count: int, *, seed: int) -> NDArray[np.float32]:
    """(count, DIMENSIONS), each of length 1, other ones for other seeds."""
    random = np.random.default_rng(seed)
    return unit_length(random.normal(size=(count, DIMENSIONS)))


def names(*labels: str, best: float = 0.9) -> Classes:
    """Each 0.3 less likely than the one before."""
    scores = best - np.arange(len(labels)) * 0.3
    return Classes(labels, np.arange(len(labels)) + 10, scores.astype(np.float32))


def findings(seed: int, *, labels: tuple[str, ...] = ("dog", "car")) -> Findings:
    """A vector of the whole and of every detection, and two names."""
    found = some_detections(labels) if labels else Detections.empty()
    return Findings(
        found.with_embeddings(vectors(len(found), seed=1000 + seed)),
        classes=names(f"kind {seed}", "any"),
        embedding=vectors(1, seed=seed)[0],
    )


def images_of(lease: Lease, **changes: object) -> UnitResult:
    """Of image n the findings of seed n."""
    items = tuple(
        ItemResult(one.index, findings=replace(findings(one.index), **changes), facts=FACTS)
        for one in lease.items
    )
    return UnitResult(lease, items, RUN)


def chunk_with(lease: Lease, *, clips: Sequence[ClipClasses] = ()) -> ChunkResult:
    """Of frame n the findings of seed n; detections in every second frame only."""
    first = (lease.chunk - 1) * FRAMES
    frames = tuple(
        FrameFindings(index, index / FPS, findings(index, labels=("dog",) * (1 - index % 2)))
        for index in range(first, first + FRAMES)
    )
    return ChunkResult(lease, frames, RUN, clips=tuple(clips))


def clip(first: int, last: int, *labels: str, best: float = 0.8) -> ClipClasses:
    return ClipClasses(first, last, first / FPS, last / FPS, names(*labels, best=best))


def all_pages(store: Any, chosen: Any, *, limit: int = 3) -> list[Any]:
    """Page by page, as a client does."""
    found: list[Any] = []
    cursor = None
    while True:
        page: Page[Any] = store.page(chosen, limit=limit, cursor=cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


def worked(service: Service, images: int = 3) -> Job:
    job = service.job(images)
    while leases := service.claim():
        for lease in leases:
            assert service.units.commit(images_of(lease))
    return service.jobs.get(job.id)


def filmed(videos: VideoService, count: int = 1, *, chunks: int = 2) -> Job:
    """Frames with everything, and a clip over each chunk with names of its own."""
    job = videos.video_job(count, pipeline={"embed": {}})
    while leases := videos.claim():
        (lease,) = leases
        if lease.kind is UnitKind.CHUNK:
            first = (lease.chunk - 1) * FRAMES
            clips = [clip(first, first + FRAMES - 1, f"act {lease.chunk}", "rest")]
            result: Any = chunk_with(lease, clips=clips)
        else:
            result = videos.result(lease, chunks=chunks)
        assert videos.units.commit(result)
    return videos.jobs.get(job.id)
