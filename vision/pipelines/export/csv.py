"""CSV for spreadsheets: one row per detection; a mask or keypoints as JSON in one cell."""

import csv
import io
from typing import BinaryIO

import orjson

from vision.domain.job import Item
from vision.domain.stored import StoredDetection
from vision.pipelines.export.findings import JobFindings, points_json

COLUMNS = (
    "job_id",
    "asset_id",
    "filename",
    "image_width",
    "image_height",
    "label",
    "class_id",
    "score",
    "x1",
    "y1",
    "x2",
    "y2",
    "predicted_iou",
    "stability_score",
    "mask",
    "keypoints",
    "provenance_digest",
    "frame_index",
    "pts_seconds",
    "track_id",
)
"""The last three are empty for an image, but for `track_id` of objects that were pointed at in it;
that is empty too for what belongs to no track."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet runs a cell that begins so (OWASP, CSV injection)."""


def write_csv(findings: JobFindings, file: BinaryIO) -> None:
    """UTF-8 with a header row, RFC 4180."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    rows.writerows(_row(item, stored) for item, stored in findings.with_items())
    # Without this, garbage collection of the wrapper would close the caller's file.
    text.detach()


def harmless(text: str) -> str:
    """The same text, with an apostrophe before it where a spreadsheet would run it."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _row(item: Item, stored: StoredDetection) -> tuple[object, ...]:
    keypoints = None if stored.keypoints is None else points_json(stored.keypoints)
    return (
        stored.job_id,
        stored.asset_id,
        harmless(item.filename),
        item.facts.size.width,
        item.facts.size.height,
        harmless(stored.label),
        stored.class_id,
        stored.score,
        *stored.box,
        stored.predicted_iou,
        stored.stability_score,
        _json_cell(None if stored.mask is None else stored.mask.to_json()),
        _json_cell(keypoints),
        stored.provenance_digest,
        stored.frame_index,
        stored.pts_seconds,
        stored.track_id,
    )


def _json_cell(value: object) -> str | None:
    # JSON begins with { or [: a mask's own run lengths may begin with = and would run as formula.
    return None if value is None else orjson.dumps(value).decode()
