"""How far videos are: what is stored, plus what workers have told of chunks in their hands."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Connection, select

from vision.domain.job import VideoProgress
from vision.domain.states import ItemState, JobState, UnitKind
from vision.storage.columns import AnyRow
from vision.storage.tables import ITEM_IN_WORK, UNIT_LEASED, items, units

NOT_ENDED = 0.99
"""The largest fraction of what has not ended: after its frames a video is still followed."""


@dataclass(frozen=True, slots=True)
class InWork:
    """Of chunks that are leased this moment."""

    frames: int = 0
    seconds: float = 0.0

    def __add__(self, other: "InWork") -> "InWork":
        return InWork(self.frames + other.frames, self.seconds + other.seconds)


NOTHING = InWork()
ItemKey: TypeAlias = tuple[UUID, int]


def job_progress(connection: Connection, rows: Sequence[AnyRow]) -> Mapping[UUID, VideoProgress]:
    """Of those jobs that have videos, from their rows of one tenant; no query without any."""
    with_videos = [row for row in rows if row.frames_total is not None]
    if not with_videos:
        return {}
    in_work = chunks_in_work(connection, with_videos)
    begun: dict[UUID, float] = defaultdict(float)
    for item in _begun_videos(connection, [row.id for row in with_videos]):
        begun[item.job_id] += item_progress(item, in_work).fraction
    return {row.id: _of_job(row, in_work, begun[row.id]) for row in with_videos}


def item_progress(item: AnyRow, in_work: Mapping[ItemKey, InWork]) -> VideoProgress:
    """Of a video, from its row of items."""
    now = in_work.get((item.job_id, item.item), NOTHING)
    frames = item.frames_done + now.frames
    has_ended = item.state in (ItemState.DONE, ItemState.PARTIAL, ItemState.FAILED)
    fraction = min(frames / max(item.frames_total, 1), NOT_ENDED)
    return VideoProgress(
        frames_done=frames,
        frames_total=item.frames_total,
        seconds_done=item.seconds_done + now.seconds,
        seconds_total=item.seconds_total,
        fraction=1.0 if has_ended else fraction,
    )


def chunks_in_work(connection: Connection, jobs: Sequence[AnyRow]) -> dict[ItemKey, InWork]:
    """By job and item, of jobs of one tenant. As many rows as workers are busy, whatever waits."""
    query = select(
        units.c.job_id, units.c.item, units.c.frames, units.c.seconds, units.c.frames_done
    ).where(
        units.c.tenant == jobs[0].tenant,
        UNIT_LEASED,
        units.c.job_id.in_([job.id for job in jobs]),
        units.c.kind == UnitKind.CHUNK,
        units.c.frames > 0,
    )
    found: dict[ItemKey, InWork] = defaultdict(InWork)
    for row in connection.execute(query):
        frames = min(row.frames_done, row.frames)
        found[row.job_id, row.item] += InWork(frames, row.seconds * frames / row.frames)
    return found


def _begun_videos(connection: Connection, job_ids: Sequence[UUID]) -> Iterable[AnyRow]:
    """Probed and not ended."""
    columns = ("job_id", "item", "state", "frames_total", "frames_done")
    times = ("seconds_total", "seconds_done")
    query = select(*(items.c[name] for name in columns + times))
    return connection.execute(query.where(items.c.job_id.in_(job_ids), ITEM_IN_WORK))


def _of_job(row: AnyRow, in_work: Mapping[ItemKey, InWork], begun: float) -> VideoProgress:
    mine = [work for (job_id, _), work in in_work.items() if job_id == row.id]
    now = sum(mine, NOTHING)
    ended = row.items_done + row.items_failed
    fraction = (ended + begun) / max(row.items_total, 1)
    is_final = JobState(row.state).is_final
    return VideoProgress(
        frames_done=row.frames_done + now.frames,
        frames_total=row.frames_total,
        seconds_done=row.seconds_done + now.seconds,
        seconds_total=row.seconds_total,
        fraction=min(fraction, 1.0 if is_final else NOT_ENDED),
    )
