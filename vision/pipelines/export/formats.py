"""The export formats by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from vision.errors import FieldError, InvalidRequest
from vision.pipelines.export.classes import write_classes
from vision.pipelines.export.coco import write_coco
from vision.pipelines.export.csv import write_csv
from vision.pipelines.export.cvat import write_cvat
from vision.pipelines.export.embeddings import write_embeddings
from vision.pipelines.export.findings import JobFindings
from vision.pipelines.export.jsonl import write_jsonl
from vision.pipelines.export.mot import write_mot
from vision.pipelines.export.parquet import write_parquet
from vision.pipelines.export.yolo import write_yolo


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """One way to write findings. `write` needs no more of the file than to be writable."""

    name: str
    media_type: str
    extension: str
    """With its dot."""
    write: Callable[[JobFindings, BinaryIO], None]
    """Raises InvalidRequest where the job has nothing that the format is for."""
    has_masks: bool = True
    """Without, detections may come without masks and keypoints: most of the bytes."""
    has_embeddings: bool = False
    """Without, detections may come without their vectors."""


FORMATS: Mapping[str, ExportFormat] = {
    one.name: one
    for one in (
        ExportFormat("coco", "application/json", ".json", write_coco),
        ExportFormat("jsonl", "application/x-ndjson", ".jsonl", write_jsonl, has_embeddings=True),
        ExportFormat("csv", "text/csv; charset=utf-8", ".csv", write_csv),
        ExportFormat("parquet", "application/vnd.apache.parquet", ".parquet", write_parquet),
        ExportFormat(
            "embeddings",
            "application/vnd.apache.parquet",
            ".parquet",
            write_embeddings,
            has_masks=False,
        ),
        ExportFormat("classes", "text/csv; charset=utf-8", ".csv", write_classes, has_masks=False),
        ExportFormat("mot", "application/zip", ".zip", write_mot, has_masks=False),
        ExportFormat("cvat", "application/zip", ".zip", write_cvat),
        ExportFormat("yolo", "application/zip", ".zip", write_yolo, has_masks=False),
    )
}


def export_format(name: str) -> ExportFormat:
    """Raises InvalidRequest naming `format`."""
    if name not in FORMATS:
        detail = f"no format {name!r}; there are {', '.join(FORMATS)}"
        raise InvalidRequest(detail, (FieldError("format", detail),))
    return FORMATS[name]
