"""What a worker holds, and whether it gets on."""

import time
from uuid import UUID

import pytest

from vision.domain.findings import Findings
from vision.domain.job import RENDER_CHUNK, ChunkResult, ItemFailure, Lease, WorkItem
from vision.domain.provenance import Provenance
from vision.domain.states import UnitKind
from vision.domain.video import FrameFindings
from vision.engine.in_flight import InFlight, LeaseGone

ZERO = UUID(int=0)
ITEM = WorkItem(0, ZERO, "key", "clip.mp4")
CHUNK = Lease(ZERO, 0, 1, 1, 0, {}, "one", (ITEM,), kind=UnitKind.CHUNK)
RENDER = Lease(ZERO, 0, RENDER_CHUNK, 1, 0, {}, "one", (ITEM,), kind=UnitKind.RENDER)
PROVENANCE = Provenance((), "0", "cpu", "float32")


def frame(index: int) -> FrameFindings:
    return FrameFindings(index, index / 10, Findings.empty())


@pytest.fixture
def in_flight() -> InFlight:
    held = InFlight()
    held.add((CHUNK, RENDER))
    held.start(CHUNK, PROVENANCE)
    return held


def test_a_chunk_is_whole_when_the_last_frame_read_has_an_outcome(in_flight: InFlight) -> None:
    assert in_flight.note_frames(CHUNK, [frame(0), frame(1)], failed=()) is None
    assert in_flight.end_reading(CHUNK, frames=3, damage=None) is None

    assert in_flight.note_frames(CHUNK, [frame(2)], failed=()) is not None


def test_a_chunk_is_whole_when_reading_ends_after_the_last_outcome(in_flight: InFlight) -> None:
    failure = ItemFailure("internal_error", "a bug")
    assert in_flight.note_frames(CHUNK, [frame(0)], failed=[(1, failure)]) is None

    result = in_flight.end_reading(CHUNK, frames=2, damage="cut short")

    assert isinstance(result, ChunkResult)
    assert [one.frame_index for one in result.frames] == [0]
    assert result.provenance == PROVENANCE
    assert result.damage is not None
    assert result.damage.startswith("cut short; 1 of its frames")
    assert "frame 1: a bug" in result.damage


def test_a_chunk_without_a_frame_has_no_provenance(in_flight: InFlight) -> None:
    result = in_flight.end_reading(CHUNK, frames=0, damage="unreadable")

    assert isinstance(result, ChunkResult)
    assert (result.frames, result.provenance) == ((), None)


def test_drawing_does_not_hide_that_the_networks_stand_still(in_flight: InFlight) -> None:
    time.sleep(0.2)
    in_flight.beat(RENDER)
    with_both = in_flight.idle_seconds()

    in_flight.drop(CHUNK)

    assert with_both >= 0.2
    assert in_flight.idle_seconds() < with_both


def test_long_work_stops_when_its_lease_is_gone_or_the_worker_ends(in_flight: InFlight) -> None:
    in_flight.count_frames(RENDER, 7)
    in_flight.drop(CHUNK)
    with pytest.raises(LeaseGone):
        in_flight.beat(CHUNK)

    in_flight.interrupt()

    with pytest.raises(LeaseGone):
        in_flight.count_frames(RENDER, 8)
    assert list(in_flight.frames_done().values()) == [7]
