"""What came of reading a video and of its chunks, to rows. The caller holds the job's row."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, select, update

from vision.domain.job import TRACK_CHUNK, ChunkResult, ProbeResult
from vision.domain.states import UnitKind, UnitState
from vision.domain.video import Chunk, FrameFindings, is_ready_at_once
from vision.storage.bulk import Columns, Same, insert_columns
from vision.storage.chains import FOLLOW_STAGE, pass_on
from vision.storage.classification_rows import (
    NamedPart,
    best_names,
    insert_classifications,
    named_parts,
)
from vision.storage.columns import AnyRow
from vision.storage.database import Database
from vision.storage.detection_rows import insert_frames
from vision.storage.embedding_rows import StoredPicture, embedding_count, insert_embeddings
from vision.storage.frame_columns import FrameColumns
from vision.storage.image_results import require_masks_of_size
from vision.storage.label_counts import add_counts
from vision.storage.leases import is_item_of, leave
from vision.storage.provenance_rows import provenance_row
from vision.storage.rows import facts_to_json, size_from_json
from vision.storage.tables import items, jobs, units
from vision.storage.video_tables import chunk_frames

TRACK_STAGE = "track"
READY, WAITING = UnitState.READY, UnitState.WAITING
TRACK_COLUMNS: Columns = {
    "chunk": [TRACK_CHUNK],
    "kind": Same(UnitKind.TRACK.value),
    "state": Same(UnitState.WAITING.value),
}


def store_probe(
    database: Database,
    connection: Connection,
    result: ProbeResult,
    *,
    job: AnyRow,
    unit: AnyRow,
) -> None:
    """One unit per chunk, ready unless it waits for another one, and the one of tracks, waiting."""
    chunks = result.chunks
    if not chunks or [one.number for one in chunks] != list(range(1, len(chunks) + 1)):
        raise ValueError("chunks are numbered from 1 without gaps, and there is at least one")
    planned = {
        "frames_total": sum(one.frames for one in chunks),
        "seconds_total": sum(one.seconds for one in chunks),
    }
    facts = {"facts": facts_to_json(result.facts), "frames_declared": result.frames_declared}
    connection.execute(update(items).where(is_item_of(unit)).values(planned | facts))
    more = {name: jobs.c[name] + value for name, value in planned.items()}
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(more))
    leave(connection, unit, UnitState.DONE, damage=result.damage)
    new_unit = _new_unit(unit, connection.execute(select(database.now_sql)).scalar_one())
    insert_columns(connection, units, {**new_unit, **_chunk_columns(chunks)})
    if TRACK_STAGE in job.pipeline or FOLLOW_STAGE in job.pipeline:
        insert_columns(connection, units, {**new_unit, **TRACK_COLUMNS})


def store_chunk(
    database: Database,
    connection: Connection,
    result: ChunkResult,
    *,
    job: AnyRow,
    unit: AnyRow,
) -> None:
    """What was found in it, which frames were looked at, and what that adds to the counters."""
    item = connection.execute(select(items).where(is_item_of(unit))).one()
    frames = result.frames
    size = size_from_json(item.facts)
    for one in frames:
        require_masks_of_size(one.detections, size)
    columns = FrameColumns.of(frames)
    provenance_id = provenance_row(database, connection, job.id, result.provenance)
    place = {"job_id": job.id, "item": unit.item, "chunk": unit.chunk}
    same = {**place, "tenant": job.tenant, "provenance_id": provenance_id}
    ids = insert_frames(database, connection, frames, same=same)
    pictures = _pictures(frames, ids, item=unit.item)
    insert_embeddings(connection, pictures, provenance=result.provenance, same=same)
    names = named_parts(unit.item, frames, result.clips)
    insert_classifications(connection, names, same=same)
    if frames:
        connection.execute(chunk_frames.insert().values({**place, **_frames_row(columns)}))
    leave(connection, unit, UnitState.DONE, damage=result.damage)
    pass_on(database, connection, result, unit)
    _count(connection, item, frames, names, unit=unit, provenance_id=provenance_id)
    counted = [(_label_counts(frames), item.counts)]
    add_counts(database, connection, job.id, counted)


def _new_unit(probe: AnyRow, now: float) -> Columns:
    return {
        "job_id": Same(probe.job_id),
        "item": Same(probe.item),
        "span": Same(1),
        "tenant": Same(probe.tenant),
        "priority": Same(probe.priority),
        "attempt": Same(0),
        "fails": Same(0),
        "not_before": Same(now),
    }


def _chunk_columns(chunks: Sequence[Chunk]) -> Columns:
    return {
        "chunk": [one.number for one in chunks],
        "kind": Same(UnitKind.CHUNK.value),
        "state": [(READY if is_ready_at_once(one) else WAITING).value for one in chunks],
        "plan": [one.to_json() for one in chunks],
        "frames": [one.frames for one in chunks],
        "seconds": [float(one.seconds) for one in chunks],
    }


def _frames_row(columns: FrameColumns) -> dict[str, Any]:
    return {
        "frames": len(columns.frame_index),
        "detections": int(columns.detections.sum()),
        "first_frame": int(columns.frame_index[0]),
        "last_frame": int(columns.frame_index[-1]),
        "first_seconds": float(columns.pts_seconds[0]),
        "last_seconds": float(columns.pts_seconds[-1]),
        "packed": columns.packed(),
    }


def _pictures(
    frames: Sequence[FrameFindings], ids: Sequence[int], *, item: int
) -> list[StoredPicture]:
    """Each with the ids of its own detections."""
    following = iter(ids)
    return [
        StoredPicture(
            item,
            one.findings,
            list(islice(following, len(one.detections))),
            frame_index=one.frame_index,
            pts_seconds=one.pts_seconds,
        )
        for one in frames
    ]


def _label_counts(frames: Sequence[FrameFindings]) -> Counter[str]:
    return Counter(label for one in frames for label in one.detections.labels)


def _count(
    connection: Connection,
    item: AnyRow,
    frames: Sequence[FrameFindings],
    names: Sequence[NamedPart],
    *,
    unit: AnyRow,
    provenance_id: int | None,
) -> None:
    """Into the item and the job."""
    best = best_names(names, item.classes)
    found = _label_counts(frames)
    done: dict[str, Any] = {"frames_done": len(frames), "seconds_done": unit.seconds}
    values = {
        **{name: items.c[name] + value for name, value in done.items()},
        "detections": items.c.detections + found.total(),
        "counts": dict(Counter(item.counts) + found),
        "embeddings": items.c.embeddings + sum(embedding_count(one.findings) for one in frames),
        # Not None: that would become JSON's null, which isn't NULL.
        **({} if best is None else {"classes": best}),
        "provenance_id": func.coalesce(items.c.provenance_id, provenance_id),
    }
    connection.execute(update(items).where(is_item_of(unit)).values(values))
    more = {name: jobs.c[name] + value for name, value in done.items()}
    connection.execute(update(jobs).where(jobs.c.id == unit.job_id).values(more))
