"""Rows to store: the jobs they belong to, and detections of a realistic kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import Connection

from vision.domain.detections import Detections
from vision.domain.image import ImageSize
from vision.domain.job import DEFAULT_TENANT, NewAsset, NewJob
from vision.domain.mask import RleMask
from vision.domain.media import MediaFacts, MediaKind
from vision.storage.assets import AssetStore
from vision.storage.database import Database
from vision.storage.detection_rows import insert_detections
from vision.storage.jobs import JobStore

IMAGES = 32
SIZE = ImageSize(width=640, height=480)
LABELS = ("person", "car", "truck", "dog", "ball", "crate", "cone", "barrel")
MASKS = 64
"""Different outlines; their run lengths are about 180 bytes, as those of real objects."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Detections of one unit, by item."""

    found: Mapping[int, Detections]
    rows: int

    def insert(self, database: Database, connection: Connection, *, job: UUID, chunk: int) -> None:
        """As a worker's commit does."""
        same = {"job_id": job, "chunk": chunk, "tenant": DEFAULT_TENANT, "provenance_id": None}
        insert_detections(database, connection, self.found, same=same)


def batch(rows: int, *, seed: int = 0) -> Batch:
    """So many detections with masks, spread over the images of one unit."""
    rng = np.random.default_rng(seed)
    masks = [_blob(rng) for _ in range(MASKS)]
    each = rows // IMAGES
    return Batch({item: _detections(each, masks, rng) for item in range(IMAGES)}, each * IMAGES)


def new_job(database: Database) -> UUID:
    """A job of `IMAGES` assets that nobody works on."""
    assets = AssetStore(database)
    ids = tuple(assets.add(_asset())[0].id for _ in range(IMAGES))
    job = NewJob(asset_ids=ids, pipeline={"detect": {"model": "bench"}}, pipeline_sha256="bench")
    return JobStore(database).submit(job, max_open_units=1_000_000)[0].id


def _asset() -> NewAsset:
    name = uuid4().hex
    return NewAsset(
        sha256=name * 2,
        facts=MediaFacts(MediaKind.IMAGE, "image/jpeg", SIZE),
        size_bytes=1,
        filename=f"{name}.jpg",
        blob_key=name,
    )


def _detections(rows: int, masks: list[RleMask], rng: np.random.Generator) -> Detections:
    class_ids = rng.integers(0, len(LABELS), rows)
    corners = rng.uniform(0, 400, (rows, 2))
    return Detections(
        boxes=np.hstack([corners, corners + rng.uniform(5, 80, (rows, 2))]).astype(np.float32),
        labels=tuple(LABELS[class_id] for class_id in class_ids),
        class_ids=class_ids,
        scores=np.sort(rng.uniform(0.05, 1, rows).astype(np.float32))[::-1],
        masks=tuple(masks[chosen] for chosen in rng.integers(0, len(masks), rows)),
    )


def _blob(rng: np.random.Generator) -> RleMask:
    """An ellipse with a wavy edge."""
    y, x = np.mgrid[: SIZE.height, : SIZE.width].astype(np.float32)
    center_x, center_y = rng.uniform(80, 400, 2)
    radius = rng.uniform(20, 50)
    angle = np.arctan2(y - center_y, x - center_x)
    edge = radius * (1 + 0.15 * np.sin(angle * rng.integers(3, 9)))
    return RleMask.from_bitmap(np.hypot(x - center_x, y - center_y) < edge)
