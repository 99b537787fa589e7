"""Names of pictures to columns and rows back to names: the one place that knows both forms."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from sqlalchemy import Connection

from vision.domain.findings import Classes, ClipClasses
from vision.domain.stored_findings import Classified, StoredClassification
from vision.domain.video import FrameFindings
from vision.storage.bulk import Columns, Same, insert_columns
from vision.storage.columns import AnyRow
from vision.storage.detection_rows import shortest_decimals
from vision.storage.finding_tables import classifications

BEST = 5
"""So many names stand in the item itself."""


@dataclass(frozen=True, slots=True)
class NamedPart:
    """An image, a frame or a clip with its names."""

    item: int
    classes: Classes
    frame_index: int | None = None
    first_frame: int | None = None
    last_frame: int | None = None
    from_seconds: float | None = None
    to_seconds: float | None = None


def named_parts(
    item: int, frames: Iterable[FrameFindings], clips: Iterable[ClipClasses]
) -> list[NamedPart]:
    """Of one chunk of a video: its frames, then its clips."""
    return [*_named_frames(item, frames), *_named_clips(item, clips)]


def insert_classifications(
    connection: Connection, parts: Sequence[NamedPart], *, same: Mapping[str, object]
) -> None:
    """Of one unit, numbered through each item; `same` has job_id, chunk, tenant and provenance_id.

    Raises ValueError for scores that are not finite.
    """
    rows = [(part, place) for part in parts for place in range(len(part.classes))]
    if not rows:
        return
    scores = np.concatenate([part.classes.scores for part in parts])
    places = ("item", "frame_index", "first_frame", "last_frame", "from_seconds", "to_seconds")
    columns: Columns = {
        **{name: Same(value) for name, value in same.items()},
        **{name: [getattr(part, name) for part, _ in rows] for name in places},
        "ord": list(_numbered(part.item for part, _ in rows)),
        "rank": [place + 1 for _, place in rows],
        "label": [part.classes.labels[place] for part, place in rows],
        "class_id": [int(part.classes.class_ids[place]) for part, place in rows],
        "score": shortest_decimals(scores),
    }
    insert_columns(connection, classifications, columns)


def best_names(
    parts: Iterable[NamedPart], before: Sequence[Mapping[str, Any]] | None = None
) -> list[dict[str, object]] | None:
    """Each label's highest score anywhere, the best few, as JSON; None when nobody was asked.

    With `before`, the same of another chunk: in whichever order chunks come, the end is the same.
    """
    best = {one["label"]: dict(one) for one in before or ()}
    is_asked = before is not None
    for part in parts:
        is_asked = True
        for one in _as_json(part.classes):
            best[one["label"]] = min(one, best.get(one["label"], one), key=_place_in_order)
    return sorted(best.values(), key=_place_in_order)[:BEST] if is_asked else None


def stored_classification(
    row: AnyRow, item: AnyRow, *, digests: Mapping[int, str]
) -> StoredClassification:
    """From a row of classifications, its row of items, and digests by provenance."""
    return StoredClassification(
        job_id=row.job_id,
        item=row.item,
        asset_id=item.asset_id,
        of=_subject(row),
        rank=row.rank,
        label=row.label,
        class_id=row.class_id,
        score=row.score,
        frame_index=row.frame_index,
        first_frame=row.first_frame,
        last_frame=row.last_frame,
        from_seconds=row.from_seconds,
        to_seconds=row.to_seconds,
        provenance_digest=digests.get(row.provenance_id),
    )


def _named_frames(item: int, frames: Iterable[FrameFindings]) -> Iterator[NamedPart]:
    for one in frames:
        if one.findings.classes is not None:
            yield NamedPart(
                item,
                one.findings.classes,
                frame_index=one.frame_index,
                first_frame=one.frame_index,
                last_frame=one.frame_index,
                from_seconds=one.pts_seconds,
                to_seconds=one.pts_seconds,
            )


def _named_clips(item: int, clips: Iterable[ClipClasses]) -> Iterator[NamedPart]:
    for one in clips:
        yield NamedPart(
            item,
            one.classes,
            first_frame=one.first_frame,
            last_frame=one.last_frame,
            from_seconds=one.from_seconds,
            to_seconds=one.to_seconds,
        )


def _numbered(items: Iterable[int]) -> Iterator[int]:
    numbers: dict[int, Iterator[int]] = {}
    for item in items:
        yield next(numbers.setdefault(item, count()))


def _place_in_order(one: Mapping[str, Any]) -> tuple[float, str, int]:
    return -one["score"], one["label"], one["class_id"]


def _as_json(classes: Classes) -> list[dict[str, Any]]:
    scores = shortest_decimals(classes.scores)
    return [
        {"label": label, "class_id": int(class_id), "score": score}
        for label, class_id, score in zip(classes.labels, classes.class_ids, scores, strict=True)
    ]


def _subject(row: AnyRow) -> Classified:
    if row.frame_index is not None:
        return Classified.FRAME
    return Classified.IMAGE if row.first_frame is None else Classified.CLIP
