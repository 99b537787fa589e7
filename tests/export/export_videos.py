"""A job with an image, two videos of the same name, and a video that failed."""

import io
from collections.abc import Iterable, Iterator
from uuid import UUID

import numpy as np

from vision.domain.image import ImageSize
from vision.domain.job import Item, ItemFailure, Job, VideoProgress
from vision.domain.mask import RleMask
from vision.domain.media import MediaFacts, MediaKind
from vision.domain.states import ItemState, JobState
from vision.domain.stored import StoredDetection
from vision.domain.track import TRACKS_PER_ITEM, BestMoment, Track
from vision.domain.video import FrameTimes
from vision.pipelines.export.findings import JobFindings
from vision.pipelines.export.formats import export_format

JOB_ID = UUID(int=1)
SIZE = ImageSize(width=40, height=30)
FRAME_COUNT = 20
ANALYSED = (0, 3, 6, 9, 12)
SECONDS = (-0.1, 0.025, 0.15, 0.4, 1.7)
BITMAP = np.zeros((30, 40), bool)
BITMAP[5:15, 10:30] = True
BITMAP[5, 10] = False
MASK = RleMask.from_bitmap(BITMAP)
STREET, YARD = 1, 3
"""The videos' items."""
PERSON, DOG = STREET * TRACKS_PER_ITEM + 1, STREET * TRACKS_PER_ITEM + 2
JOB = Job(
    id=JOB_ID,
    tenant="default",
    state=JobState.PARTIAL,
    pipeline={"detect": {"model": "demo_maskrcnn"}},
    pipeline_sha256="cd" * 32,
    priority=0,
    tags=(),
    items_total=4,
    items_done=3,
    items_failed=1,
    created_at=1.0,
    started_at=2.0,
    finished_at=3.0,
    error=None,
)
FILM = MediaFacts(
    MediaKind.VIDEO,
    "video/mp4",
    SIZE,
    duration_seconds=2.5,
    average_fps=8.0,
    frame_count=FRAME_COUNT,
    start_seconds=-0.1,
    container="mp4",
    codec="h264",
)


def item(
    index: int, filename: str, facts: MediaFacts, counts: dict[str, int], state: ItemState
) -> Item:
    is_analysed = facts.kind is MediaKind.VIDEO and state is not ItemState.FAILED
    return Item(
        job_id=JOB_ID,
        index=index,
        asset_id=UUID(int=100 + index),
        filename=filename,
        state=state,
        error=ItemFailure("video_corrupt", "no frame") if state is ItemState.FAILED else None,
        detections=sum(counts.values()),
        counts=counts,
        facts=facts,
        warnings=(),
        provenance_digest=None,
        video=VideoProgress(5, 5, 2.5, 2.5, 1.0) if is_analysed else None,
        frames_declared=7 if is_analysed else None,
        track_parameters={"algorithm": "bytetrack"} if is_analysed else None,
    )


STILL = MediaFacts(MediaKind.IMAGE, "image/jpeg", SIZE)
ITEMS = (
    item(0, "still.jpg", STILL, {"car": 1}, ItemState.DONE),
    item(1, "street cam.mp4", FILM, {"car": 1, "dog": 2, "person": 3}, ItemState.PARTIAL),
    item(2, "torn.mp4", FILM, {}, ItemState.FAILED),
    item(3, "street cam.mp4", FILM, {}, ItemState.DONE),
)


def stored(
    index: int,
    frame: int | None,
    label: str,
    left: float = 10.0,
    *,
    track: int | None = None,
    mask: RleMask | None = None,
) -> StoredDetection:
    return StoredDetection(
        id=1,
        job_id=JOB_ID,
        item=index,
        asset_id=UUID(int=100 + index),
        size=SIZE,
        label=label,
        class_id={"person": 1, "car": 3, "dog": 18}[label],
        box=(left, 5.0, left + 20.5, 15.0),
        score=0.875,
        mask=mask,
        frame_index=frame,
        pts_seconds=None if frame is None else SECONDS[ANALYSED.index(frame)],
        track_id=track,
    )


ROWS = (
    stored(0, None, "car"),
    stored(STREET, 0, "person", 1.0, track=PERSON),
    stored(STREET, 3, "person", 2.0, track=PERSON),
    stored(STREET, 3, "car", mask=MASK),
    stored(STREET, 9, "person", 4.0, track=PERSON),
    stored(STREET, 9, "dog", 5.0, track=DOG),
    stored(STREET, 12, "dog", 30.0, track=DOG),
)


def _track(track_id: int, rows: Iterable[StoredDetection]) -> Track:
    own = [row for row in rows if row.track_id == track_id]
    first, last = own[0], own[-1]
    assert first.frame_index is not None
    assert last.frame_index is not None
    assert first.pts_seconds is not None
    assert last.pts_seconds is not None
    return Track(
        track_id=track_id,
        label=first.label,
        class_id=first.class_id,
        first_seconds=first.pts_seconds,
        last_seconds=last.pts_seconds,
        first_frame=first.frame_index,
        last_frame=last.frame_index,
        detections=len(own),
        best=BestMoment(first.frame_index, first.pts_seconds, first.box, first.score),
        path=np.array([[first.pts_seconds, 11.0, 10.0], [last.pts_seconds, 14.0, 10.0]]),
    )


def frame_times(one: Item) -> FrameTimes:
    if one.index not in (STREET, YARD):
        return FrameTimes(np.zeros(0, np.int64), np.zeros(0, np.float64))
    return FrameTimes(np.array(ANALYSED, np.int64), np.array(SECONDS, np.float64))


def findings(
    rows: Iterable[StoredDetection] = ROWS, items: tuple[Item, ...] = ITEMS
) -> JobFindings:
    def along(_item: Item, track: Track) -> Iterator[StoredDetection]:
        return (row for row in ROWS if row.track_id == track.track_id)

    def tracks(one: Item) -> Iterator[Track]:
        return (_track(track_id, ROWS) for track_id in (PERSON, DOG) if one.index == STREET)

    return JobFindings(JOB, items, iter(rows), frame_times=frame_times, tracks=tracks, along=along)


class OnlyWritable(io.RawIOBase):
    """A file that can be written and nothing more, as an HTTP body can."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.written += bytes(data)  # type: ignore[call-overload]
        return len(bytes(data))  # type: ignore[call-overload]


def exported(
    name: str, rows: Iterable[StoredDetection] = ROWS, items: tuple[Item, ...] = ITEMS
) -> bytes:
    file = OnlyWritable()
    export_format(name).write(findings(rows, items), file)  # type: ignore[arg-type]
    assert not file.closed
    return bytes(file.written)
