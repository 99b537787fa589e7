"""Every vector of a job in one Parquet file, with what it is of and which weights made it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vision.domain.job import Item
from vision.domain.stored import StoredDetection
from vision.domain.stored_findings import Embedded, StoredEmbedding
from vision.errors import InvalidRequest
from vision.pipelines.export.findings import JobFindings
from vision.pipelines.export.parquet import metadata_of

ROWS_PER_GROUP = 5_000
"""Of 768 numbers: 15 MB in memory."""
COLUMNS = (
    ("job_id", pa.string()),
    ("asset_id", pa.string()),
    ("item_index", pa.int32()),
    ("filename", pa.string()),
    ("image_width", pa.int32()),
    ("image_height", pa.int32()),
    ("of", pa.string()),
    ("frame_index", pa.int64()),
    ("pts_seconds", pa.float64()),
    ("detection_id", pa.int64()),
    ("label", pa.string()),
    ("class_id", pa.int64()),
    ("score", pa.float32()),
    ("x1", pa.float32()),
    ("y1", pa.float32()),
    ("x2", pa.float32()),
    ("y2", pa.float32()),
    ("track_id", pa.int64()),
    ("model", pa.string()),
    ("weights_sha256", pa.string()),
    ("provenance_digest", pa.string()),
)
"""Before `vector`, a fixed-size list of float32. From `detection_id` to `track_id` null for a whole
image or frame; the others of a place null for an image."""


def write_embeddings(findings: JobFindings, file: BinaryIO) -> None:
    """One row per vector, in the job's order. Raises InvalidRequest for a job without any."""
    vectors = iter(findings.embeddings(frozenset(Embedded)))
    first = next(vectors, None)
    if first is None:
        raise InvalidRequest(
            "this job has no embeddings: its pipeline has no embed stage, or it "
            "has found nothing yet"
        )
    schema = _schema(findings, first.dimensions)
    by_index = {item.index: item for item in findings.items}
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in _in_groups(chain((first,), vectors)):
            writer.write_table(_table(rows, by_index, schema))


def _schema(findings: JobFindings, dimensions: int) -> pa.Schema:
    vector = ("vector", pa.list_(pa.float32(), dimensions))
    return pa.schema([*COLUMNS, vector]).with_metadata(metadata_of(findings))


def _table(rows: list[StoredEmbedding], items: Mapping[int, Item], schema: pa.Schema) -> pa.Table:
    dimensions = schema.field("vector").type.list_size
    if any(row.dimensions != dimensions for row in rows):
        # One pipeline names one model, but its file may have been exchanged between two retries.
        raise InvalidRequest("this job has vectors of different lengths; the format jsonl has both")
    flat = np.concatenate([row.vector for row in rows if row.vector is not None])
    vector = pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), dimensions)
    # A column by column: lists of Python floats would take ten times as long.
    plain = [_row(row, items[row.item]) for row in rows]
    columns = [pa.array([one[name] for one in plain], kind) for name, kind in COLUMNS]
    return pa.Table.from_arrays([*columns, vector], schema=schema)


def _row(stored: StoredEmbedding, item: Item) -> dict[str, Any]:
    return {
        "job_id": str(stored.job_id),
        "asset_id": str(stored.asset_id),
        "item_index": item.index,
        "filename": item.filename,
        "image_width": item.facts.size.width,
        "image_height": item.facts.size.height,
        "of": stored.of.value,
        "frame_index": stored.frame_index,
        "pts_seconds": stored.pts_seconds,
        **_about(stored.detection),
        "model": stored.model,
        "weights_sha256": stored.weights_sha256,
        "provenance_digest": stored.provenance_digest,
    }


def _about(found: StoredDetection | None) -> dict[str, Any]:
    edges = ("x1", "y1", "x2", "y2")
    if found is None:
        names = ("detection_id", "label", "class_id", "score", "track_id", *edges)
        return dict.fromkeys(names)
    return {
        "detection_id": found.id,
        "label": found.label,
        "class_id": found.class_id,
        "score": found.score,
        "track_id": found.track_id,
        **dict(zip(edges, found.box, strict=True)),
    }


def _in_groups(rows: Iterable[StoredEmbedding]) -> Iterator[list[StoredEmbedding]]:
    iterator = iter(rows)
    while group := list(islice(iterator, ROWS_PER_GROUP)):
        yield group
