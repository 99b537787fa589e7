"""Parquet for analysis: one row per detection, in row groups, with the job in the metadata."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from vision.domain.job import Item
from vision.domain.stored import StoredDetection
from vision.pipelines.export.findings import JobFindings

ROWS_PER_GROUP = 20_000
"""With masks of about 500 bytes: 10 MB in memory."""
POINT = pa.struct([("x", pa.float32()), ("y", pa.float32()), ("score", pa.float32())])
COLUMNS = pa.schema(
    [
        ("job_id", pa.string()),
        ("asset_id", pa.string()),
        ("item_index", pa.int32()),
        ("filename", pa.string()),
        ("image_width", pa.int32()),
        ("image_height", pa.int32()),
        ("label", pa.string()),
        ("class_id", pa.int64()),
        ("score", pa.float32()),
        ("x1", pa.float32()),
        ("y1", pa.float32()),
        ("x2", pa.float32()),
        ("y2", pa.float32()),
        ("predicted_iou", pa.float32()),
        ("stability_score", pa.float32()),
        ("mask_counts", pa.string()),
        ("mask_area", pa.int64()),
        ("keypoints", pa.list_(POINT)),
        ("provenance_digest", pa.string()),
        ("frame_index", pa.int64()),
        ("pts_seconds", pa.float64()),
        ("track_id", pa.int64()),
    ]
)
"""`mask_counts` is COCO's compressed run lengths; their size is the image's."""


def write_parquet(findings: JobFindings, file: BinaryIO) -> None:
    """Key `vision` of the metadata: the job, its provenances, and every item with its state."""
    schema = COLUMNS.with_metadata(metadata_of(findings))
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in _in_groups(_rows(findings)):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def metadata_of(findings: JobFindings) -> dict[str, bytes]:
    """Of a file about the job."""
    job = findings.job
    document: dict[str, object] = {
        "job_id": str(job.id),
        "job_state": job.state.value,
        "pipeline": job.pipeline,
        "pipeline_sha256": job.pipeline_sha256,
        "provenances": list(job.provenances),
        # A detection per row has no row for an image without any, or for one that failed.
        "items": [_item(item) for item in findings.items],
    }
    return {"vision": orjson.dumps(document)}


def _item(item: Item) -> dict[str, object]:
    return {
        "asset_id": str(item.asset_id),
        "filename": item.filename,
        "state": item.state.value,
        "detections": item.detections,
        "error_code": None if item.error is None else item.error.code,
        "frames_done": None if item.video is None else item.video.frames_done,
        "frames_declared": item.frames_declared,
        "track_parameters": None if item.track_parameters is None else dict(item.track_parameters),
    }


def _rows(findings: JobFindings) -> Iterator[dict[str, Any]]:
    return (_row(item, stored) for item, stored in findings.with_items())


def _row(item: Item, stored: StoredDetection) -> dict[str, Any]:
    return {
        "job_id": str(stored.job_id),
        "asset_id": str(stored.asset_id),
        "item_index": item.index,
        "filename": item.filename,
        "image_width": item.facts.size.width,
        "image_height": item.facts.size.height,
        "label": stored.label,
        "class_id": stored.class_id,
        "score": stored.score,
        **dict(zip(("x1", "y1", "x2", "y2"), stored.box, strict=True)),
        "predicted_iou": stored.predicted_iou,
        "stability_score": stored.stability_score,
        "mask_counts": None if stored.mask is None else stored.mask.counts,
        "mask_area": None if stored.mask is None else stored.mask.area,
        "keypoints": None if stored.keypoints is None else _points(stored.keypoints.tolist()),
        "provenance_digest": stored.provenance_digest,
        "frame_index": stored.frame_index,
        "pts_seconds": stored.pts_seconds,
        "track_id": stored.track_id,
    }


def _points(keypoints: Sequence[Sequence[float]]) -> list[dict[str, float]]:
    return [{"x": x, "y": y, "score": score} for x, y, score in keypoints]


def _in_groups(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while group := list(islice(iterator, ROWS_PER_GROUP)):
        yield group
