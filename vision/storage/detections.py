"""Stored detections: pages, streams, counts."""

from collections.abc import Iterator
from uuid import UUID

from vision.domain.job import DEFAULT_TENANT
from vision.domain.stored import DetectionFilter, LabelCount, StoredDetection
from vision.storage.database import Database
from vision.storage.pages import Page

STREAM_BATCH = 2000


class DetectionStore:
    """Reads only: `UnitStore.commit` writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        chosen: DetectionFilter,
        *,
        limit: int,
        cursor: str | None = None,
        include_masks: bool = False,
        include_keypoints: bool = False,
    ) -> Page[StoredDetection]:
        """In the filter's order. Raises InvalidRequest for a bad cursor."""
        raise NotImplementedError

    def stream(
        self,
        chosen: DetectionFilter,
        *,
        include_masks: bool = True,
        include_keypoints: bool = True,
    ) -> Iterator[StoredDetection]:
        """All of them in the filter's order, read in batches; no transaction stays open between."""
        raise NotImplementedError

    def counts(self, job_id: UUID, tenant: str = DEFAULT_TENANT) -> tuple[LabelCount, ...]:
        """Per label of one job, most frequent first; kept at write time, so always quick."""
        raise NotImplementedError
