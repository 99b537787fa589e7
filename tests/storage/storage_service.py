"""What storage tests need again and again: all stores over one database, made-up results."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from sqlalchemy import func, select, text

from vision.domain.detections import Detections
from vision.domain.findings import Findings
from vision.domain.image import ImageSize
from vision.domain.job import (
    Asset,
    ItemFailure,
    ItemResult,
    Job,
    Lease,
    NewAsset,
    NewJob,
    UnitResult,
)
from vision.domain.mask import RleMask
from vision.domain.media import MediaFacts, MediaKind
from vision.domain.provenance import Provenance, StageProvenance
from vision.storage.assets import AssetStore
from vision.storage.blobs import new_key
from vision.storage.database import Database
from vision.storage.detections import DetectionStore
from vision.storage.jobs import JobStore
from vision.storage.tables import detections, metadata
from vision.storage.units import UnitStore

SIZE = ImageSize(width=32, height=24)
FACTS = MediaFacts(MediaKind.IMAGE, "image/jpeg", SIZE)
PIPELINE = {"detect": {"model": "demo_maskrcnn", "min_score": 0.5}}
PIPELINE_SHA256 = hashlib.sha256(b"pipeline").hexdigest()
PROVENANCE = Provenance(
    (StageProvenance("detect", "demo_maskrcnn", "0" * 64, {"min_score": 0.5}),),
    code_version="0.1.0",
    device="cpu",
    precision="float32",
)
LEASE_SECONDS = 60.0
NO_LEASE_SECONDS = -1.0
"""A lease of this length has run out when it is given."""


@dataclass(frozen=True)
class Service:
    """The stores; failed units may be claimed again at once."""

    database: Database
    assets: AssetStore
    jobs: JobStore
    units: UnitStore
    detections: DetectionStore

    @classmethod
    def over(cls, database: Database) -> "Service":
        return cls(
            database,
            AssetStore(database),
            JobStore(database),
            UnitStore(database, backoff_seconds=0.0),
            DetectionStore(database),
        )

    def asset(self, name: str, tenant: str = "default", tags: tuple[str, ...] = ()) -> Asset:
        """Content is the name."""
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        key = new_key(tenant, sha256)
        new = NewAsset(sha256, FACTS, 100, f"{name}.jpg", key, tenant=tenant, tags=tags)
        return self.assets.add(new)[0]

    def job(
        self,
        images: int = 1,
        *,
        tenant: str = "default",
        priority: int = 0,
        pipeline_sha256: str = PIPELINE_SHA256,
        key: str | None = None,
        tags: tuple[str, ...] = (),
        prefix: str = "image",
    ) -> Job:
        ids = tuple(self.asset(f"{prefix} {i}", tenant).id for i in range(images))
        new = NewJob(
            ids,
            PIPELINE,
            pipeline_sha256,
            tenant=tenant,
            priority=priority,
            idempotency_key=key,
            tags=tags,
        )
        return self.jobs.submit(new, max_open_units=100_000)[0]

    def claim(self, owner: str = "worker", *, seconds: float = LEASE_SECONDS) -> tuple[Lease, ...]:
        return self.units.claim(owner, lease_seconds=seconds)

    def claim_one(self, owner: str = "worker", *, seconds: float = LEASE_SECONDS) -> Lease:
        (lease,) = self.claim(owner, seconds=seconds)
        return lease

    def work(self, *, found: Detections | None = None) -> int:
        """Runs everything that is ready; how many units."""
        done = 0
        while leases := self.claim():
            for lease in leases:
                assert self.units.commit(result_of(lease, found=found))
                done += 1
        return done

    def rows(self, job_id: UUID) -> int:
        """Detections in the table, whatever pages say."""
        query = select(func.count()).where(detections.c.job_id == job_id)
        with self.database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def value(self, statement: str) -> object:
        """The one value of a query, as seen from outside."""
        with self.database.read() as connection:
            return connection.execute(text(statement)).scalar_one()

    def tables_with_rows(self) -> dict[str, int]:
        with self.database.read() as connection:
            counts = {
                table.name: int(
                    connection.execute(select(func.count()).select_from(table)).scalar_one()
                )
                for table in metadata.sorted_tables
            }
        return {name: count for name, count in counts.items() if count}


def some_detections(labels: tuple[str, ...] = ("dog", "car"), *, score: float = 0.9) -> Detections:
    """One per label, with everything a detection can have."""
    count = len(labels)
    bitmaps = np.zeros((count, SIZE.height, SIZE.width), bool)
    for row in range(count):
        bitmaps[row, row : row + 5, 2:9] = True
    return Detections(
        boxes=np.array([[2.1, row, 9.3, row + 5] for row in range(count)], np.float32),
        labels=labels,
        class_ids=np.arange(count, dtype=np.int64),
        scores=np.array([score - row / 100 for row in range(count)], np.float32),
        masks=RleMask.from_bitmaps(bitmaps),
        keypoints=np.arange(count * 6, dtype=np.float32).reshape(count, 2, 3),
        predicted_iou=np.full(count, 0.7, np.float32),
        stability_scores=np.full(count, 0.95, np.float32),
    )


def result_of(
    lease: Lease,
    *,
    found: Detections | None = None,
    failures: Mapping[int, ItemFailure] | None = None,
) -> UnitResult:
    """The same detections for every item, except those that fail."""
    found = some_detections() if found is None else found
    failed = failures or {}
    results = tuple(
        ItemResult(one.index, failure=failed[one.index])
        if one.index in failed
        else ItemResult(one.index, findings=Findings(found), facts=FACTS)
        for one in lease.items
    )
    return UnitResult(lease, results, PROVENANCE)
