"""What whole pictures and clips show, as CSV for spreadsheets: one row per name."""

import csv
import io
from typing import BinaryIO

from vision.domain.job import Item
from vision.domain.stored_findings import Classified, StoredClassification
from vision.pipelines.export.csv import harmless
from vision.pipelines.export.findings import JobFindings

COLUMNS = (
    "job_id",
    "asset_id",
    "filename",
    "of",
    "rank",
    "label",
    "class_id",
    "score",
    "frame_index",
    "first_frame",
    "last_frame",
    "from_seconds",
    "to_seconds",
    "provenance_digest",
)
"""`rank` 1 is the best of its picture or clip. The places are empty for an image, `frame_index`
also for a clip."""


def write_classes(findings: JobFindings, file: BinaryIO) -> None:
    """UTF-8 with a header row, RFC 4180."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    by_index = {item.index: item for item in findings.items}
    said = findings.classifications(frozenset(Classified))
    rows.writerows(_row(by_index[one.item], one) for one in said)
    # Without this, garbage collection of the wrapper would close the caller's file.
    text.detach()


def _row(item: Item, stored: StoredClassification) -> tuple[object, ...]:
    return (
        stored.job_id,
        stored.asset_id,
        harmless(item.filename),
        stored.of.value,
        stored.rank,
        harmless(stored.label),
        stored.class_id,
        stored.score,
        stored.frame_index,
        stored.first_frame,
        stored.last_frame,
        stored.from_seconds,
        stored.to_seconds,
        stored.provenance_digest,
    )
