"""Results as bytes of JSON: straight from the stored values, because there may be millions."""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Final, TypeAlias

import orjson

from api.schemas.base import rfc_3339
from vision.domain.stored import StoredDetection, StoredTrack
from vision.domain.stored_findings import StoredClassification, StoredEmbedding

LINES_PER_PIECE: Final = 500
_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY
_LINE: Final = _OPTIONS | orjson.OPT_APPEND_NEWLINE

Row: TypeAlias = dict[str, object]


def detection_row(stored: StoredDetection, include: Collection[str]) -> Row:
    """As `DetectionAnswer` describes it; what is large is there when included."""
    answer: Row = {
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
    if "embedding" in include:
        answer["embedding"] = stored.embedding
    return answer


def embedding_row(stored: StoredEmbedding) -> Row:
    """As `EmbeddingAnswer` describes it; `vector` is there when it was read."""
    answer: Row = {
        "job_id": stored.job_id,
        "asset_id": stored.asset_id,
        "item": stored.item,
        "of": stored.of,
        "frame_index": stored.frame_index,
        "pts_seconds": stored.pts_seconds,
        **_about(stored.detection),
        "model": stored.model,
        "weights_sha256": stored.weights_sha256,
        "dimensions": stored.dimensions,
        "provenance": stored.provenance_digest,
    }
    if stored.vector is not None:
        answer["vector"] = stored.vector
    return answer


def _about(found: StoredDetection | None) -> Row:
    if found is None:
        return dict.fromkeys(("detection_id", "label", "score", "box", "track_id"))
    return {
        "detection_id": str(found.id),
        "label": found.label,
        "score": found.score,
        "box": found.box,
        "track_id": found.track_id,
    }


def classification_row(stored: StoredClassification) -> Row:
    """As `ClassificationAnswer` describes it."""
    return {
        "job_id": stored.job_id,
        "asset_id": stored.asset_id,
        "item": stored.item,
        "of": stored.of,
        "rank": stored.rank,
        "label": stored.label,
        "class_id": stored.class_id,
        "score": stored.score,
        "frame_index": stored.frame_index,
        "first_frame": stored.first_frame,
        "last_frame": stored.last_frame,
        "from_seconds": stored.from_seconds,
        "to_seconds": stored.to_seconds,
        "provenance": stored.provenance_digest,
    }


def track_row(stored: StoredTrack) -> Row:
    """As `TrackAnswer` describes it."""
    track = stored.track
    return {
        "track_id": track.track_id,
        "job_id": stored.job_id,
        "asset_id": stored.asset_id,
        "item": stored.item,
        "label": track.label,
        "class_id": track.class_id,
        "first_seconds": track.first_seconds,
        "last_seconds": track.last_seconds,
        "first_frame": track.first_frame,
        "last_frame": track.last_frame,
        "detections": track.detections,
        "best": {
            "frame_index": track.best.frame_index,
            "pts_seconds": track.best.pts_seconds,
            "score": track.best.score,
            "box": track.best.box,
            "crop": _crop(stored),
        },
        "path": track.path,
    }


def _crop(stored: StoredTrack) -> str | None:
    if stored.crop is None:
        return None
    return f"/v1/jobs/{stored.job_id}/tracks/{stored.track.track_id}/crop"


def page_json(rows: Iterable[Row], following: str | None) -> bytes:
    """One page as every list answers."""
    return orjson.dumps({"items": list(rows), "next": following}, option=_OPTIONS)


def ndjson(rows: Iterator[Row]) -> Iterator[bytes]:
    """One line each, in pieces of many lines."""
    while some := list(islice(rows, LINES_PER_PIECE)):
        yield b"".join(orjson.dumps(row, option=_LINE) for row in some)
