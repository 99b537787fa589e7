"""Followed videos when something breaks: what is lost, what goes on, what a retry brings back."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from follow_workshop import ColorPool, add_scenes, blue_at, following, masks_of, red_at
from sqlalchemy import func, select
from test_followed_videos import states_kept, the_item
from test_video_interruptions import expire_and_reap
from video_workshop import as_text
from workshop import Workshop, in_background, open_workshop, settings_for, submit

from vision.domain.findings import Findings
from vision.domain.job import Job
from vision.domain.states import ItemState, JobState, UnitState
from vision.domain.video import Chunk, Frame
from vision.engine.station import Pace, RunsImages, Station
from vision.engine.work_loop import work
from vision.errors import DeviceMemoryFull, StorageUnavailable
from vision.models.pool import ModelPool
from vision.pipelines.document import parse_pipeline
from vision.pipelines.frames_run import FramesRun, StretchEnd
from vision.pipelines.image import ImagePipeline
from vision.storage.tables import doomed_blobs, units
from vision.storage.units import UnitStore

PACE = Pace(max_fails=2)
FRAMES = 70
Trap = Callable[[Frame], None]
PIPELINE = following(red_at(0), blue_at(0))


class Trapped(FramesRun):
    """A real run with a trap in front of every frame; the frame before it is in its memory."""

    stands_alone, remembers = False, True

    def __init__(self, real: FramesRun, trap: Trap) -> None:
        self._real, self._trap = real, trap

    def run(self, frames: Sequence[Frame]) -> list[Findings]:
        found = []
        for frame in frames:
            self._trap(frame)
            found += self._real.run([frame])
        return found

    def watch(self, frames: Sequence[Frame]) -> None:
        self._real.watch(frames)

    def end(self) -> StretchEnd:
        return self._real.end()


class TrappedPipeline(ImagePipeline):
    """The product's, with a trap."""

    def __init__(self, document: Mapping[str, object], trap: Trap) -> None:
        super().__init__(parse_pipeline(document), cast(ModelPool, ColorPool()))
        self._trap = trap

    def open_frames(self, chunk: Chunk, state: bytes | None = None) -> FramesRun:
        return Trapped(super().open_frames(chunk, state), self._trap)


def no_trap(_frame: Frame) -> None:
    """Everything works."""


@pytest.fixture
def screening(tmp_path: Path, database_url: str) -> Iterator[Workshop]:
    settings = settings_for(tmp_path / "data", database_url, chunk_frames=20)
    with open_workshop(settings) as opened:
        yield opened


def station_with(screening: Workshop, trap: Trap) -> Station:
    """What failed is tried again at once."""
    at_once = UnitStore(screening.engine.database, backoff_seconds=0.0)

    def opened(document: Mapping[str, object]) -> RunsImages:
        return TrappedPipeline(document, trap)

    return replace(screening.station, units=at_once, open_pipeline=opened, batch_images=4)


def new_job(screening: Workshop, pipeline: Mapping[str, object] = PIPELINE) -> Job:
    return submit(screening.engine, [add_scenes(screening.engine, FRAMES)], pipeline)


def quiet(screening: Workshop, pipeline: Mapping[str, object] = PIPELINE) -> str:
    """Everything stored of a run in which nothing breaks."""
    job = new_job(screening, pipeline)
    work(station_with(screening, no_trap), PACE)
    assert screening.engine.jobs.get(job.id).state is JobState.SUCCEEDED
    return as_text(screening.engine, job.id)


def breaking_at(*indices: int, error: Exception, times: int = 1000) -> Trap:
    """Raises before the frame of that index, so often."""
    left = dict.fromkeys(indices, times)

    def trap(frame: Frame) -> None:
        if left.get(frame.frame_index, 0):
            left[frame.frame_index] -= 1
            raise error

    return trap


def chunk_states(screening: Workshop, job: Job) -> list[UnitState]:
    query = select(units.c.state).where(units.c.job_id == job.id, units.c.kind == "chunk")
    with screening.engine.database.read() as connection:
        return [
            UnitState(one) for one in connection.execute(query.order_by(units.c.chunk)).scalars()
        ]


@pytest.mark.parametrize(
    "error",
    [RuntimeError("a bug"), DeviceMemoryFull("too small"), StorageUnavailable("away")],
    ids=["bug", "out of memory", "temporary"],
)
@pytest.mark.parametrize("direction", ["forward", "both"])
def test_a_passing_trouble_in_the_middle_of_a_chunk_shows_in_no_result(
    screening: Workshop, error: Exception, direction: str
) -> None:
    pipeline = following(red_at(33), blue_at(33), direction=direction)
    expected = quiet(screening, pipeline)
    job = new_job(screening, pipeline)
    trap = breaking_at(47, error=error, times=1)

    # A temporary trouble ends the shift, and the next bell begins another.
    for _ in range(3):
        work(station_with(screening, trap), PACE)

    assert screening.engine.jobs.get(job.id).state is JobState.SUCCEEDED
    assert as_text(screening.engine, job.id) == expected


def test_a_chunk_that_gives_up_is_passed_by_and_a_retry_does_it_alone(
    screening: Workshop,
) -> None:
    engine = screening.engine
    job = new_job(screening)
    trap = breaking_at(25, error=RuntimeError("a bug"))

    work(station_with(screening, trap), PACE)

    item = the_item(screening, job.id)
    before = masks_of(engine, job.id)
    assert item.state is ItemState.PARTIAL
    assert chunk_states(screening, job)[1] is UnitState.QUARANTINED
    assert {frame for frame, _ in before} == {*range(20), *range(40, FRAMES)}
    assert item.warnings[0] == "50 of 70 frames were analysed"
    assert states_kept(screening) == ["follow-2"]

    engine.jobs.retry(job.id)
    work(station_with(screening, no_trap), PACE)

    after = masks_of(engine, job.id)
    assert engine.jobs.get(job.id).state is JobState.SUCCEEDED
    assert {frame for frame, _ in after} == set(range(FRAMES))
    assert {key: after[key] for key in before} == before
    assert states_kept(screening) == []


def test_neighbours_that_gave_up_are_tried_again_one_after_the_other(screening: Workshop) -> None:
    expected = quiet(screening)
    job = new_job(screening)
    trap = breaking_at(45, 65, error=RuntimeError("a bug"))
    work(station_with(screening, trap), PACE)
    given_up = chunk_states(screening, job)

    screening.engine.jobs.retry(job.id)
    again = chunk_states(screening, job)
    work(station_with(screening, no_trap), PACE)

    assert given_up[2:] == [UnitState.QUARANTINED] * 2
    assert again[2:] == [UnitState.READY, UnitState.WAITING]
    assert as_text(screening.engine, job.id) == expected


def test_without_its_first_chunk_nothing_can_be_followed_until_that_is_there(
    screening: Workshop,
) -> None:
    expected = quiet(screening)
    job = new_job(screening)
    work(station_with(screening, breaking_at(5, error=RuntimeError("a bug"))), PACE)
    item = the_item(screening, job.id)

    screening.engine.jobs.retry(job.id)
    work(station_with(screening, no_trap), PACE)

    assert item.state is ItemState.FAILED
    assert item.error is not None
    assert item.error.code == "internal_error"
    assert as_text(screening.engine, job.id) == expected


def test_what_was_pointed_at_in_a_lost_chunk_is_not_taken_for_absent(screening: Workshop) -> None:
    job = new_job(screening, following(red_at(3), blue_at(65)))

    work(station_with(screening, breaking_at(5, error=RuntimeError("a bug"))), PACE)

    item = the_item(screening, job.id)
    assert {frame for frame, _ in masks_of(screening.engine, job.id)} == set(range(65, FRAMES))
    assert any("nothing_to_follow" in warning for warning in item.warnings)


def test_words_go_on_after_a_lost_first_chunk(screening: Workshop) -> None:
    job = new_job(screening, following(text=["blue"]))

    work(station_with(screening, breaking_at(5, error=RuntimeError("a bug"))), PACE)

    assert chunk_states(screening, job) == [UnitState.QUARANTINED] + [UnitState.DONE] * 3


def test_a_lost_lease_costs_its_chunk_and_changes_nothing(screening: Workshop) -> None:
    expected = quiet(screening)
    job = new_job(screening)
    reached, may_go_on = threading.Event(), threading.Event()

    def wait_once(frame: Frame) -> None:
        if frame.frame_index == 27:
            reached.set()
            may_go_on.wait(20)

    working = in_background(work, station_with(screening, wait_once), PACE)
    assert reached.wait(20)
    expire_and_reap(screening)
    may_go_on.set()
    working.join(30)
    while not screening.engine.jobs.get(job.id).state.is_final:
        work(station_with(screening, no_trap), PACE)

    assert as_text(screening.engine, job.id) == expected


def test_a_drain_leaves_the_rest_of_the_chain_to_others(screening: Workshop) -> None:
    expected = quiet(screening)
    job = new_job(screening)
    reached, told = threading.Event(), threading.Event()

    def wait_for_drain(frame: Frame) -> None:
        if frame.frame_index == 25:
            reached.set()
            assert told.wait(20)

    def drain() -> bool:
        if reached.is_set():
            told.set()
        return told.is_set()

    first = work(station_with(screening, wait_for_drain), PACE, drain=drain)
    kept = states_kept(screening)
    work(station_with(screening, no_trap), PACE)

    assert first.frames == 40
    assert kept == ["follow-3"]
    assert as_text(screening.engine, job.id) == expected


def test_used_up_states_are_doomed_and_go_with_the_job(screening: Workshop) -> None:
    engine = screening.engine
    job = new_job(screening)
    work(station_with(screening, breaking_at(25, error=RuntimeError("a bug"))), PACE)
    doomed = select(func.count()).select_from(doomed_blobs)
    with engine.database.read() as connection:
        used_up = connection.execute(doomed).scalar_one()

    engine.jobs.delete(job.id)

    with engine.database.read() as connection:
        assert used_up == 1
        # The state that chunk 2 would begin with, and the crops.
        assert connection.execute(doomed).scalar_one() == 3
    assert states_kept(screening) == []
