"""From rows to the domain's values: rows never leave this folder."""

from collections.abc import Mapping, Sequence
from typing import Any

from vision.domain.findings import ClassScore
from vision.domain.image import ImageSize
from vision.domain.job import Asset, Item, ItemFailure, Job, VideoProgress
from vision.domain.media import MediaFacts, MediaKind
from vision.domain.states import ItemState, JobState
from vision.storage.columns import AnyRow

VIDEO_FACTS = ("real_fps", "start_seconds", "container", "codec", "rotation")
"""Written for videos only."""


def facts_to_json(facts: MediaFacts) -> dict[str, object]:
    return {
        "kind": facts.kind.value,
        "media_type": facts.media_type,
        "width": facts.size.width,
        "height": facts.size.height,
        "orientation": facts.orientation,
        "warnings": list(facts.warnings),
        "duration_seconds": facts.duration_seconds,
        "average_fps": facts.average_fps,
        "frame_count": facts.frame_count,
        **({} if facts.kind is MediaKind.IMAGE else _video_facts_to_json(facts)),
    }


def _video_facts_to_json(facts: MediaFacts) -> dict[str, object]:
    return {name: getattr(facts, name) for name in VIDEO_FACTS}


def facts_from_json(document: Mapping[str, Any]) -> MediaFacts:
    return MediaFacts(
        kind=MediaKind(document["kind"]),
        media_type=document["media_type"],
        size=size_from_json(document),
        orientation=document["orientation"],
        warnings=tuple(document["warnings"]),
        duration_seconds=document["duration_seconds"],
        average_fps=document["average_fps"],
        frame_count=document["frame_count"],
        **{name: document[name] for name in VIDEO_FACTS if name in document},
    )


def size_from_json(document: Mapping[str, Any]) -> ImageSize:
    return ImageSize(width=document["width"], height=document["height"])


def asset_from(row: AnyRow) -> Asset:
    """From all columns of assets."""
    return Asset(
        id=row.id,
        tenant=row.tenant,
        sha256=row.sha256,
        facts=facts_from_json(row.facts),
        size_bytes=row.size_bytes,
        filename=row.filename,
        tags=tuple(row.tags),
        blob_key=row.blob_key,
        created_at=row.created_at,
    )


def job_from(
    row: AnyRow, provenances: Sequence[Mapping[str, object]], video: VideoProgress | None
) -> Job:
    """From all columns of jobs, and `Provenance.to_json` with its digest for each run."""
    return Job(
        id=row.id,
        tenant=row.tenant,
        state=JobState(row.state),
        pipeline=row.pipeline,
        pipeline_sha256=row.pipeline_sha256,
        priority=row.priority,
        tags=tuple(row.tags),
        items_total=row.items_total,
        items_done=row.items_done,
        items_failed=row.items_failed,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=failure_from(row),
        provenances=tuple(provenances),
        video=video,
        run=row.run,
    )


def item_from(row: AnyRow, video: VideoProgress | None) -> Item:
    """From all columns of items, with the asset's filename and the provenance's digest."""
    facts = facts_from_json(row.facts)
    return Item(
        job_id=row.job_id,
        index=row.item,
        asset_id=row.asset_id,
        filename=row.filename,
        state=ItemState(row.state),
        error=failure_from(row),
        detections=row.detections,
        counts=row.counts,
        facts=facts,
        warnings=facts.warnings + tuple(row.warnings or ()),
        provenance_digest=row.digest,
        video=video,
        frames_declared=row.frames_declared,
        track_parameters=row.track_parameters,
        embeddings=row.embeddings,
        classes=None if row.classes is None else _classes_from(row.classes),
    )


def _classes_from(names: Sequence[Mapping[str, Any]]) -> tuple[ClassScore, ...]:
    return tuple(ClassScore(one["label"], one["class_id"], one["score"]) for one in names)


def failure_from(row: AnyRow) -> ItemFailure | None:
    if row.error_code is None:
        return None
    return ItemFailure(row.error_code, row.error_detail or "")
