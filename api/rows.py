"""Detections as bytes of JSON: straight from the stored values, because there may be millions."""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Final

import orjson

from api.schemas.base import rfc_3339
from vision.domain.stored import StoredDetection
from vision.storage.pages import Page

NDJSON: Final = "application/x-ndjson"
LINES_PER_PIECE: Final = 500
_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY


def row(stored: StoredDetection, include: Collection[str]) -> dict[str, object]:
    """As `DetectionAnswer` describes it; `mask` and `keypoints` are there when included."""
    answer: dict[str, object] = {
        "id": str(stored.id),  # 64 bits: JSON numbers of most programs hold 53
        "job_id": stored.job_id,
        "asset_id": stored.asset_id,
        "item": stored.item,
        "frame_index": stored.frame_index,
        "pts_seconds": stored.pts_seconds,
        "label": stored.label,
        "class_id": stored.class_id,
        "score": stored.score,
        "box": stored.box,
        "track_id": stored.track_id,
        "predicted_iou": stored.predicted_iou,
        "stability_score": stored.stability_score,
        "provenance": stored.provenance_digest,
        "created_at": rfc_3339(stored.stored_at),
    }
    if "mask" in include:
        answer["mask"] = None if stored.mask is None else stored.mask.to_json()
    if "keypoints" in include:
        answer["keypoints"] = stored.keypoints
    return answer


def page_json(page: Page[StoredDetection], include: Collection[str]) -> bytes:
    """One page as every list answers."""
    items = [row(stored, include) for stored in page.items]
    return orjson.dumps({"items": items, "next": page.next}, option=_OPTIONS)


def ndjson(found: Iterable[StoredDetection], include: Collection[str]) -> Iterator[bytes]:
    """One line each, in pieces of many lines."""
    rows = iter(found)
    while some := list(islice(rows, LINES_PER_PIECE)):
        lines = (orjson.dumps(row(each, include), option=_LINE) for each in some)
        yield b"".join(lines)


_LINE: Final = _OPTIONS | orjson.OPT_APPEND_NEWLINE
