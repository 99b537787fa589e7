"""What comes back out of the database: rows of detections, filters, counts, the queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from vision.domain.detections import Detection, Detections
from vision.domain.image import ImageSize
from vision.domain.job import DEFAULT_TENANT, ItemFailure, Lease
from vision.domain.mask import RleMask
from vision.domain.states import UnitState
from vision.domain.track import Track

TIME_SHIFT = 21
"""A detection's id is the millisecond in which it was stored, shifted left by this, plus a
number that makes it unique: newest first is descending id, and a time range is an id range.
21 bits leave room for the year 2109 and two million rows in one millisecond."""


class UnitKey(NamedTuple):
    """Which unit; the lease's attempt says whose."""

    job_id: UUID
    item: int
    chunk: int

    @classmethod
    def of(cls, lease: Lease) -> Self:
        return cls(lease.job_id, lease.item, lease.chunk)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the database answers to a beat; leases in neither set go on."""

    lost: frozenset[UnitKey]
    """Taken away: stop, a commit would be refused."""
    cancelled: frozenset[UnitKey]
    """Their job was cancelled: stop and release."""


@dataclass(frozen=True, slots=True)
class QueueSummary:
    """The queue at a glance, for metrics and autoscaling."""

    ready: int
    """Claimable now or after their backoff."""
    leased: int
    quarantined: int
    oldest_ready_seconds: float
    """How long the oldest claimable unit has waited; 0.0 with none."""


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How often a label occurs in a job."""

    label: str
    detections: int
    items: int
    """Items with at least one."""


@dataclass(frozen=True, slots=True)
class BucketCount:
    """How often a label occurs in one stretch of a job's videos."""

    label: str
    from_seconds: float
    to_seconds: float
    """Exclusive."""
    detections: int
    tracks: int
    """Distinct ones."""
    frames: int
    """Analysed frames in the stretch, with or without detections: the mean number in a frame is
    detections / frames."""


@dataclass(frozen=True, slots=True)
class TrackFilter:
    """Which tracks of a job; None doesn't restrict. In order of item and first appearance."""

    job_id: UUID
    tenant: str = DEFAULT_TENANT
    asset_id: UUID | None = None
    track_id: int | None = None
    label: str | None = None
    from_seconds: float | None = None
    """Still seen at or after."""
    to_seconds: float | None = None
    """First seen before."""
    min_detections: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StoredTrack:
    """One row of tracks."""

    job_id: UUID
    item: int
    asset_id: UUID
    size: ImageSize
    """Of the upright video."""
    track: Track
    crop: tuple[int, int] | None
    """Offset and length of the best moment's JPEG in the blob; None when there is none."""
    crops_blob_key: str | None


@dataclass(frozen=True, slots=True)
class RenderState:
    """An annotated video that was asked for."""

    state: UnitState
    blob_key: str | None
    """Set when it is done."""
    size_bytes: int | None
    media_type: str | None
    error: ItemFailure | None
    fraction: float
    """0 to 1, how much is drawn."""


@dataclass(frozen=True, slots=True)
class DetectionFilter:
    """Which detections; None doesn't restrict.

    With `job_id` they come in the job's order (item, chunk, model's order), else newest first.
    """

    tenant: str = DEFAULT_TENANT
    job_id: UUID | None = None
    asset_id: UUID | None = None
    label: str | None = None
    min_score: float | None = None
    """Rows without a score (masks that no detector named) don't pass."""
    track_id: int | None = None
    frame_index: int | None = None
    from_seconds: float | None = None
    """Place in the video, inclusive."""
    to_seconds: float | None = None
    """Place in the video, exclusive."""
    tag: str | None = None
    """A tag of the job."""
    since: float | None = None
    """Stored at or after, seconds since 1970 by the database's clock."""
    until: float | None = None
    """Stored before."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredDetection:
    """One stored row. Numbers are float32 values in their shortest decimal form."""

    id: int
    """64 bits: more than JSON numbers hold safely, so send it as text."""
    job_id: UUID
    item: int
    """Position of the asset in the job, from 0."""
    asset_id: UUID
    size: ImageSize
    """Of the upright image."""
    label: str
    class_id: int
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the upright image."""
    score: float | None = None
    mask: RleMask | None = None
    """None also when it wasn't asked for."""
    keypoints: NDArray[np.float32] | None = None
    """(k, 3): x, y in pixels and the model's score; None also when not asked for."""
    predicted_iou: float | None = None
    stability_score: float | None = None
    frame_index: int | None = None
    pts_seconds: float | None = None
    track_id: int | None = None
    provenance_digest: str | None = None
    embedding: NDArray[np.float32] | None = None
    """(d,) of length 1; None also when it wasn't asked for."""

    @property
    def stored_at(self) -> float:
        """Seconds since 1970 by the database's clock, to the millisecond."""
        return (self.id >> TIME_SHIFT) / 1000

    @property
    def detection(self) -> Detection:
        """The model's row again."""
        return Detection(
            box=self.box,
            label=self.label,
            class_id=self.class_id,
            score=self.score,
            mask=self.mask,
            keypoints=self.keypoints,
            predicted_iou=self.predicted_iou,
            stability_score=self.stability_score,
            embedding=self.embedding,
        )


def as_detections(rows: Sequence[StoredDetection]) -> Detections:
    """The columns that drawing wants, in the order of the rows.

    A column is there when every row has it; keypoints moreover only when all have the same number.
    """
    if not rows:
        return Detections.empty()
    return Detections(
        boxes=np.array([row.box for row in rows], np.float32).reshape(-1, 4),
        labels=tuple(row.label for row in rows),
        class_ids=np.array([row.class_id for row in rows], np.int64),
        scores=_numbers([row.score for row in rows]),
        masks=_masks(rows),
        keypoints=_keypoints(rows),
        predicted_iou=_numbers([row.predicted_iou for row in rows]),
        stability_scores=_numbers([row.stability_score for row in rows]),
    )


def _numbers(values: Sequence[float | None]) -> NDArray[np.float32] | None:
    if any(value is None for value in values):
        return None
    return np.array(values, np.float32)


def _masks(rows: Sequence[StoredDetection]) -> tuple[RleMask, ...] | None:
    masks = tuple(row.mask for row in rows if row.mask is not None)
    return masks if len(masks) == len(rows) else None


def _keypoints(rows: Sequence[StoredDetection]) -> NDArray[np.float32] | None:
    points = [row.keypoints for row in rows if row.keypoints is not None]
    if len(points) != len(rows) or len({len(one) for one in points}) != 1:
        return None
    return np.stack(points).astype(np.float32)
