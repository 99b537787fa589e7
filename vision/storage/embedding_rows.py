"""Vectors to columns and rows back to vectors: the one place that knows both forms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from vision.domain.findings import Findings
from vision.domain.provenance import Provenance, StageProvenance
from vision.domain.stored import StoredDetection
from vision.domain.stored_findings import Embedded, StoredEmbedding
from vision.storage.bulk import Columns, Same, insert_columns
from vision.storage.columns import AnyRow
from vision.storage.finding_tables import embeddings

VECTOR_TYPE = np.dtype("<f4")
LENGTH_TOLERANCE = 1e-3
"""Of a vector of length 1: far above what float32 or float16 lose, far below one that nobody
normalised."""
EMBED_STAGE = "embed"
IDS_PER_QUERY = 1000


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """An image or a frame whose detections are stored."""

    item: int
    findings: Findings
    detection_ids: Sequence[int]
    """In the order of the detections."""
    frame_index: int | None = None
    pts_seconds: float | None = None


class _Row(NamedTuple):
    item: int
    ord: int
    detection_id: int | None
    frame_index: int | None
    pts_seconds: float | None
    vector: bytes


def insert_embeddings(
    connection: Connection,
    pictures: Sequence[StoredPicture],
    *,
    provenance: Provenance | None,
    same: Mapping[str, object],
) -> None:
    """Of one unit; `same` has job_id, chunk, tenant and provenance_id.

    Raises ValueError for vectors that aren't finite or of length 1, and without the run that made
    them.
    """
    rows = list(_rows(pictures))
    if not rows:
        return
    made_by = _embed_stage(provenance)
    items, order, ids, frames, seconds, vectors = zip(*rows, strict=True)
    columns: Columns = {
        **{name: Same(value) for name, value in same.items()},
        "item": items,
        "ord": order,
        "detection_id": ids,
        "frame_index": frames,
        "pts_seconds": seconds,
        "model": Same(made_by.model),
        "weights_sha256": Same(made_by.weights_sha256),
        "dimensions": [len(one) // VECTOR_TYPE.itemsize for one in vectors],
        "vector": vectors,
    }
    insert_columns(connection, embeddings, columns)


def embedding_count(findings: Findings) -> int:
    """How many rows it becomes."""
    of_rows = 0 if findings.detections.embeddings is None else len(findings.detections)
    return of_rows + (findings.embedding is not None)


def stored_embedding(
    row: AnyRow,
    item: AnyRow,
    *,
    detection: StoredDetection | None,
    digests: Mapping[int, str],
) -> StoredEmbedding:
    """From a row of embeddings, its row of items, and digests by provenance."""
    return StoredEmbedding(
        job_id=row.job_id,
        item=row.item,
        asset_id=item.asset_id,
        of=_subject(row),
        model=row.model,
        weights_sha256=row.weights_sha256,
        dimensions=row.dimensions,
        vector=None if row.vector is None else unpacked(row.vector),
        frame_index=row.frame_index,
        pts_seconds=row.pts_seconds,
        detection=detection,
        provenance_digest=digests.get(row.provenance_id),
    )


def vectors_of(connection: Connection, rows: Sequence[AnyRow]) -> dict[int, NDArray[np.float32]]:
    """Of rows of detections, by their ids; not of those without one."""
    ids_of: dict[str, list[int]] = {}
    for row in rows:
        ids_of.setdefault(row.tenant, []).append(row.id)
    found: dict[int, NDArray[np.float32]] = {}
    for tenant, ids in ids_of.items():
        query = select(embeddings.c.detection_id, embeddings.c.vector)
        mine = query.where(embeddings.c.tenant == tenant, embeddings.c.detection_id.is_not(None))
        for start in range(0, len(ids), IDS_PER_QUERY):
            some = embeddings.c.detection_id.in_(ids[start : start + IDS_PER_QUERY])
            for row in connection.execute(mine.where(some)):
                found[row.detection_id] = unpacked(row.vector)
    return found


def unpacked(vector: bytes) -> NDArray[np.float32]:
    """(d,) float32."""
    return np.frombuffer(vector, VECTOR_TYPE).astype(np.float32)


def _rows(pictures: Sequence[StoredPicture]) -> Iterator[_Row]:
    """Numbered through each item."""
    following: dict[int, int] = {}
    for picture in pictures:
        for detection_id, vector in _vectors(picture):
            order = following.get(picture.item, 0)
            following[picture.item] = order + 1
            place = (picture.frame_index, picture.pts_seconds)
            yield _Row(picture.item, order, detection_id, *place, vector)


def _vectors(picture: StoredPicture) -> Iterator[tuple[int | None, bytes]]:
    """The whole first, then the detections."""
    if picture.findings.embedding is not None:
        (whole,) = _packed(picture.findings.embedding[np.newaxis])
        yield None, whole
    of_rows = picture.findings.detections.embeddings
    if of_rows is not None:
        yield from zip(picture.detection_ids, _packed(of_rows), strict=True)


def _embed_stage(provenance: Provenance | None) -> StageProvenance:
    for stage in () if provenance is None else provenance.stages:
        if stage.stage == EMBED_STAGE:
            return stage
    raise ValueError("embeddings come with the provenance of the stage that made them")


def _packed(vectors: NDArray[np.float32]) -> list[bytes]:
    """One per row."""
    # Not `abs(…) > tolerance`: that is false of NaN.
    is_unit = np.abs(np.linalg.norm(vectors, axis=-1) - 1) <= LENGTH_TOLERANCE
    if vectors.ndim != 2 or not is_unit.all():
        raise ValueError("an embedding is one vector of length 1")
    return [row.tobytes() for row in np.ascontiguousarray(vectors, VECTOR_TYPE)]


def _subject(row: AnyRow) -> Embedded:
    if row.detection_id is not None:
        return Embedded.DETECTION
    return Embedded.IMAGE if row.frame_index is None else Embedded.FRAME
