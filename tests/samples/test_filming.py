"""Films: smooth ways, objects that stay themselves, and near ones before far ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from samples.filming.actor import Part
from samples.filming.film import Film, FilmFrame
from samples.filming.record import TruthRecord
from samples.filming.route import Route, Waypoint, smooth
from samples.scenes.objects import KINDS

HEIGHT, WIDTH = 120, 160
NOISE = 8.0


def film(*parts: Part) -> Film:
    return Film(1, parts, height=HEIGHT, width=WIDTH)


def standing(label: str, across: float, depth: float) -> Part:
    return Part(label, 5, (Waypoint(0, across, depth),))


def walking(label: str, start: float, end: float) -> Part:
    return Part(label, 5, (Waypoint(0, start, 0.6), Waypoint(4, end, 0.6)))


def shown(frame: FilmFrame, number: int) -> int:
    """Pixels of an object."""
    return int(np.count_nonzero(frame.scene.instances == number))


values = some.lists(some.floats(-10, 10), min_size=2, max_size=6)


@given(values)
def test_a_smooth_way_passes_its_points_and_never_goes_beyond_them(values: list[float]) -> None:
    times = np.arange(len(values), dtype=np.float64)
    fine = np.linspace(0, times[-1], 101)

    way = smooth(times, np.array(values), fine)

    assert np.allclose(smooth(times, np.array(values), times), values)
    for start in range(len(values) - 1):
        low, high = sorted(values[start : start + 2])
        piece = way[(fine >= start) & (fine <= start + 1)]
        assert piece.min() >= low - 1e-9
        assert piece.max() <= high + 1e-9


def test_a_route_faces_where_it_goes_and_still_does_when_it_stands() -> None:
    points = (Waypoint(1, 0.2, 0.5), Waypoint(2, 0.8, 0.5), Waypoint(3, 0.8, 0.5))
    route = Route((*points, Waypoint(4, 0.1, 0.5)))

    facing = [route.at(seconds).is_facing_left for seconds in (0, 1.5, 2.5, 3.5, 9)]

    assert facing == [False, False, False, True, True]


def test_a_route_stands_still_before_it_begins_and_after_it_ends() -> None:
    route = Route((Waypoint(1, 0.2, 0.5), Waypoint(2, 0.8, 0.6)))

    assert (route.at(0).across, route.at(99).across) == (0.2, 0.8)
    assert route.at(0).travelled == 0
    assert route.at(99).travelled == pytest.approx(np.hypot(0.6, 0.1), rel=0.01)


@pytest.mark.parametrize("label", [kind.label for kind in KINDS])
def test_an_object_looks_the_same_in_every_frame_but_for_noise(label: str) -> None:
    yard = film(standing(label, 0.5, 0.7))

    first, later = (yard.frame(index, float(index)) for index in (0, 3))

    assert np.array_equal(first.scene.instances, later.scene.instances)
    difference = np.abs(first.scene.image.astype(np.int16) - later.scene.image)
    assert 0 < difference.mean() < NOISE


@pytest.mark.parametrize(("near", "far"), [(1, 2), (2, 1)], ids=["listed first", "listed last"])
def test_near_objects_hide_far_ones_whatever_their_order(near: int, far: int) -> None:
    depths = {near: 0.9, far: 0.7}
    frame = film(*(standing("crate", 0.5, depths[number]) for number in (1, 2))).frame(0, 0.0)

    assert shown(frame, near) == frame.scene.full_areas[near - 1]
    assert shown(frame, far) < 0.8 * frame.inside_areas[far - 1]


def test_objects_come_closer_and_grow_without_a_jump() -> None:
    coming = Part("person", 5, (Waypoint(0, 0.5, 0.2), Waypoint(4, 0.5, 0.9)))
    areas = [film(coming).frame(0, step / 10).scene.full_areas[0] for step in range(0, 41, 4)]

    growth = np.array(areas[1:]) / np.array(areas[:-1])
    assert np.all(growth > 0.9)
    assert np.all(growth < 1.5)
    assert areas[-1] > 1.5 * areas[0]


def test_legs_move_while_a_person_walks_and_rest_while_one_stands() -> None:
    walker = film(walking("person", 0.2, 0.8))
    outlines = [_outline(walker.frame(0, seconds)) for seconds in np.arange(1, 3, 0.1)]
    widths = {columns for _, columns in outlines}

    assert len(widths) > 3
    still = film(standing("person", 0.5, 0.6))
    assert len({_outline(still.frame(0, seconds)) for seconds in (0.0, 1.0, 2.0)}) == 1


def _outline(frame: FilmFrame) -> tuple[int, int]:
    """Height and width of object 1."""
    rows, columns = np.nonzero(frame.scene.instances == 1)
    return int(np.ptp(rows)), int(np.ptp(columns))


def test_who_leaves_and_returns_is_a_new_track_of_the_same_object() -> None:
    away = (Waypoint(0, 0.3, 0.7), Waypoint(1, -0.6, 0.7), Waypoint(2, -0.6, 0.7))
    scene = film(Part("dog", 5, (*away, Waypoint(3, 0.3, 0.7))), standing("cone", 0.8, 0.7))
    record = TruthRecord()
    for index in range(7):
        record.add(index / 2, scene.frame(index, index / 2))

    assert {(box.object, box.track) for box in record.boxes} == {(1, 1), (2, 2), (1, 3)}
    gone = {box.pts_seconds for box in record.boxes if box.label == "dog"}
    assert 1.5 not in gone


def test_who_is_hidden_altogether_has_no_box_and_stays_the_same_track() -> None:
    ball = Part("ball", 5, (Waypoint(0, 0.1, 0.6), Waypoint(4, 0.9, 0.6)), scale=0.5)
    truck = Part("truck", 6, (Waypoint(0, 0.5, 0.75),), scale=2)
    scene, record = film(ball, truck), TruthRecord()
    for index in range(41):
        record.add(index / 10, scene.frame(index, index / 10))

    balls = [box for box in record.boxes if box.label == "ball"]
    assert {box.track for box in balls} == {1}
    assert len(balls) < 41
    assert all(box.is_ignored == (box.visible_share < 0.3) for box in balls)
