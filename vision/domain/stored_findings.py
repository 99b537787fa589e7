"""What comes back out of the database about whole pictures: vectors, names, their filters."""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from vision.domain.job import DEFAULT_TENANT
from vision.domain.stored import StoredDetection


class Embedded(StrEnum):
    """What a vector is of."""

    IMAGE = "image"
    FRAME = "frame"
    """Of a video, as a whole."""
    DETECTION = "detection"
    """What lies in its box, of an image or of a frame."""


class Classified(StrEnum):
    """What a name is for."""

    IMAGE = "image"
    FRAME = "frame"
    CLIP = "clip"
    """A stretch of a video."""


@dataclass(frozen=True, slots=True)
class EmbeddingFilter:
    """Which vectors of one job; None doesn't restrict. They come in the job's order."""

    job_id: UUID
    tenant: str = DEFAULT_TENANT
    asset_id: UUID | None = None
    of: Set[Embedded] | None = None
    detection_id: int | None = None
    frame_index: int | None = None
    from_seconds: float | None = None
    """Place in the video, inclusive."""
    to_seconds: float | None = None
    """Place in the video, exclusive."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredEmbedding:
    """One stored vector."""

    job_id: UUID
    item: int
    """Position of the asset in the job, from 0."""
    asset_id: UUID
    of: Embedded
    model: str
    weights_sha256: str
    """Only vectors of equal weights can be compared."""
    dimensions: int
    vector: NDArray[np.float32] | None = None
    """(dimensions,) of length 1; None when it wasn't asked for."""
    frame_index: int | None = None
    pts_seconds: float | None = None
    detection: StoredDetection | None = None
    """Of which it is, without mask and keypoints; None for a whole picture."""
    provenance_digest: str | None = None


@dataclass(frozen=True, slots=True)
class ClassificationFilter:
    """Which names of one job; None doesn't restrict. They come in the job's order, by rank."""

    job_id: UUID
    tenant: str = DEFAULT_TENANT
    asset_id: UUID | None = None
    of: Set[Classified] | None = None
    label: str | None = None
    min_score: float | None = None
    top: int | None = None
    """Only the best so many of each picture or clip."""
    frame_index: int | None = None
    """Of the frame, and of clips that it is part of."""
    from_seconds: float | None = None
    """Place in the video, inclusive; a clip is there when a part of it is."""
    to_seconds: float | None = None
    """Place in the video, exclusive."""


@dataclass(frozen=True, slots=True)
class StoredClassification:
    """One stored name of a picture or clip."""

    job_id: UUID
    item: int
    """Position of the asset in the job, from 0."""
    asset_id: UUID
    of: Classified
    rank: int
    """1 is the best of its picture or clip."""
    label: str
    class_id: int
    score: float
    """A float32 value in its shortest decimal form."""
    frame_index: int | None = None
    """Of a frame; None for an image and for a clip."""
    first_frame: int | None = None
    last_frame: int | None = None
    from_seconds: float | None = None
    """Of a clip its first frame's time, of a frame its own; None for an image."""
    to_seconds: float | None = None
    provenance_digest: str | None = None
