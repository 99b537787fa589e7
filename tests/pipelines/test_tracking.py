"""Objects keep their number through crossings, occlusions and uneven time."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import motmetrics
import numpy as np
import pytest
import supervision as sv
from moving import SIDE, Thing, Watched, ids_of, steady, straight, watch
from trackers import BoTSORTTracker, ByteTrackTracker, OCSORTTracker, SORTTracker

from vision.domain.image import ImageSize
from vision.domain.track import TRACKS_PER_ITEM
from vision.errors import VideoTooLong
from vision.pipelines.stages import TrackStage
from vision.pipelines.track_summary import PATH_POINTS
from vision.pipelines.tracking import Followed, follow, number_tracks

LIBRARY = {
    "bytetrack": ByteTrackTracker,
    "ocsort": OCSORTTracker,
    "botsort": BoTSORTTracker,
    "sort": SORTTracker,
}
every_algorithm = pytest.mark.parametrize("algorithm", LIBRARY)
CROWD = [
    Thing("car", straight(20, 40, 60, 10)),
    Thing("car", straight(500, 60, -50, 12)),
    Thing("person", straight(100, 300, 25, -10), score=0.6),
    Thing("car", straight(300, 400, 0, -55, hidden=[(2.0, 2.6), (4.0, 9.0)])),
    Thing("person", straight(400, 250, -30, 0, hidden=[(0.0, 1.0)])),
]


def track(watched: Watched, *, item: int = 0, **stage: Any) -> Followed:
    return follow(watched.columns, watched.times, TrackStage(**stage), item=item)


@every_algorithm
def test_ids_are_those_of_the_library_on_the_same_boxes(algorithm: str) -> None:
    seen = watch(CROWD, steady(6), noise=1.5, misses=0.1)

    found = track(seen, algorithm=algorithm)

    for label in ("car", "person"):
        ours, library = _by_the_library(seen, found, label=label)
        named = library >= 0
        assert named.sum() > 100
        pairs = set(zip(ours[named].tolist(), library[named].tolist(), strict=True))
        assert len(pairs) == len({ours for ours, _ in pairs}) == len({lib for _, lib in pairs})
        assert 0 not in {ours for ours, _ in pairs}


def _by_the_library(seen: Watched, found: Followed, *, label: str) -> tuple[Any, Any]:
    """Our ids and the library's, which sees every frame, row by row of one label."""
    chosen = {"algorithm", "library", "lost_track_seconds"}
    parameters = {key: value for key, value in found.parameters.items() if key not in chosen}
    parameters["lost_track_buffer"] = round(30 * found.parameters["lost_track_seconds"])  # type: ignore[operator]
    algorithm = str(found.parameters["algorithm"])
    if algorithm == "botsort":
        parameters["enable_cmc"] = False
    tracker = LIBRARY[algorithm](**parameters)
    columns = seen.columns
    ids = np.full(len(columns), -1)
    for frame, seconds in zip(seen.times.frame_index, seen.times.pts_seconds, strict=True):
        rows = np.flatnonzero((columns.frame_index == frame) & (columns.labels == label))
        boxes, scores = columns.boxes[rows], columns.scores[rows]
        detections = sv.Detections(boxes, confidence=scores, data={"row": rows})
        named = tracker.update(detections, timestamp=float(seconds))
        if len(named):
            ids[named.data["row"]] = named.tracker_id
    mine = columns.labels == label
    return found.track_ids[mine], ids[mine]


@every_algorithm
@pytest.mark.parametrize(
    "times",
    [
        pytest.param(steady(6), id="25 a second"),
        pytest.param(steady(6, fps=10), id="10 a second"),
        pytest.param(sorted({*steady(6, fps=12), *steady(3, fps=30)}), id="uneven"),
    ],
)
def test_known_ways_are_followed_well(algorithm: str, times: list[float]) -> None:
    seen = watch(CROWD, times, noise=1.0, misses=0.05)

    found = track(seen, algorithm=algorithm)

    scores = _clear_mot(seen, found)
    assert scores["mota"] >= 0.9
    assert scores["idf1"] >= 0.9


def _clear_mot(seen: Watched, found: Followed) -> dict[str, float]:
    """Against every moment at which a thing could be seen and was detected."""
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    boxes = seen.columns.boxes
    for frame in seen.times.frame_index:
        here = seen.columns.frame_index == frame
        tracked = here & (found.track_ids > 0)
        distances = np.ones((int(here.sum()), int(tracked.sum())))
        if distances.size:
            distances -= sv.box_iou_batch(boxes[here], boxes[tracked])
        distances[distances > 0.5] = np.nan
        accumulator.update(seen.thing[here], found.track_ids[tracked], distances)
    summary = motmetrics.metrics.create().compute(accumulator, metrics=["mota", "idf1"])
    return dict(summary.iloc[0])


@every_algorithm
def test_crossing_objects_keep_their_numbers(algorithm: str) -> None:
    things = [
        Thing("car", straight(50, 100, 80)),
        Thing("car", straight(450, 130, -80)),
    ]
    seen = watch(things, steady(5))

    found = track(seen, algorithm=algorithm)

    assert ids_of(seen, found.track_ids) == {0: [1], 1: [2]}


@every_algorithm
def test_object_that_was_hidden_for_a_moment_keeps_its_number(algorithm: str) -> None:
    seen = watch([Thing("car", straight(50, 100, 60, hidden=[(2.0, 2.5)]))], steady(5))

    assert ids_of(seen, track(seen, algorithm=algorithm).track_ids) == {0: [1]}


@every_algorithm
def test_object_that_returns_late_is_a_new_one(algorithm: str) -> None:
    seen = watch([Thing("car", straight(50, 100, 0, hidden=[(2.0, 4.0)]))], steady(6))

    assert ids_of(seen, track(seen, algorithm=algorithm).track_ids) == {0: [1, 2]}


@every_algorithm
def test_object_that_returns_in_the_time_allowed_is_the_same(algorithm: str) -> None:
    seen = watch([Thing("car", straight(50, 100, 0, hidden=[(2.0, 4.0)]))], steady(6))

    found = track(seen, algorithm=algorithm, lost_track_seconds=2.5)

    assert ids_of(seen, found.track_ids) == {0: [1]}
    assert found.parameters["lost_track_seconds"] == 2.5


@every_algorithm
def test_patience_is_counted_in_seconds_not_in_frames(algorithm: str) -> None:
    """Nothing is analysed for three seconds: between two frames that follow each other."""
    times = [seconds for seconds in steady(8) if not 3 <= seconds < 6]
    seen = watch([Thing("car", straight(50, 100, 0))], times)

    assert ids_of(seen, track(seen, algorithm=algorithm).track_ids) == {0: [1, 2]}


@every_algorithm
def test_sparse_frames_are_given_the_patience_that_they_need(algorithm: str) -> None:
    seen = watch([Thing("car", straight(50, 100, 1))], steady(60, fps=0.5))

    assert ids_of(seen, track(seen, algorithm=algorithm).track_ids) == {0: [1]}
    impatient = track(seen, algorithm=algorithm, lost_track_seconds=0.1)
    assert ids_of(seen, impatient.track_ids) == {0: [1]}


@every_algorithm
@pytest.mark.parametrize("frames", [1, 2, 4])
def test_first_detections_belong_to_the_track_that_they_begin(algorithm: str, frames: int) -> None:
    things = [
        Thing("car", straight(50, 100, 60, hidden=[(0, 1.0)])),
        Thing("car", straight(90, 110, 60, hidden=[(0, 1.0)])),
        Thing("car", straight(400, 400, -60)),
    ]
    seen = watch(things, steady(3))

    found = track(seen, algorithm=algorithm, minimum_consecutive_frames=frames)

    assert ids_of(seen, found.track_ids) == {2: [1], 0: [2], 1: [3]}


@every_algorithm
def test_what_is_seen_less_often_than_asked_is_no_track(algorithm: str) -> None:
    """On the first frames OC-SORT and BoT-SORT are less strict; these come later."""
    things = [
        Thing("car", straight(50, 100, 60)),
        Thing("car", straight(300, 300, 0, hidden=[(0, 2.0), (2.0 + 3 / 25, 9)])),
    ]
    seen = watch(things, steady(4))

    found = track(seen, algorithm=algorithm, minimum_consecutive_frames=5)

    assert ids_of(seen, found.track_ids) == {0: [1], 1: [0]}
    assert len(found.tracks) == 1


def test_objects_found_again_by_ocsort_have_no_holes() -> None:
    hidden = [(0.6, 0.8), (1.2, 1.4)]
    seen = watch([Thing("car", straight(50, 100, 60, hidden=hidden))], steady(3))

    found = track(seen, algorithm="ocsort", minimum_consecutive_frames=4)

    assert ids_of(seen, found.track_ids) == {0: [1]}


@every_algorithm
def test_scores_just_above_the_detectors_default_are_followed(algorithm: str) -> None:
    seen = watch([Thing("car", straight(50, 100, 60), score=0.51)], steady(2))

    assert ids_of(seen, track(seen, algorithm=algorithm).track_ids) == {0: [1]}


def test_labels_are_followed_apart_and_numbered_together() -> None:
    things = [
        Thing("person", straight(50, 100, 30, hidden=[(0, 0.5)])),
        Thing("car", straight(50, 100, 30)),
        Thing("person", straight(300, 100, 30)),
    ]
    seen = watch(things, steady(2))

    found = track(seen, item=3)

    first = 3 * TRACKS_PER_ITEM
    assert ids_of(seen, found.track_ids) == {1: [first + 1], 2: [first + 2], 0: [first + 3]}
    assert [(one.track_id, one.label) for one in found.tracks] == [
        (first + 1, "car"),
        (first + 2, "person"),
        (first + 3, "person"),
    ]


def test_track_tells_when_and_where() -> None:
    seen = watch([Thing("car", straight(50, 100, 10, hidden=[(0, 1.0)]))], steady(21, fps=20))

    (one,) = track(seen).tracks

    assert (one.first_seconds, one.last_seconds) == (1.0, 20.95)
    assert (one.first_frame, one.last_frame, one.detections) == (20, 419, 400)
    assert one.path.shape == (PATH_POINTS, 3)
    assert one.path[0].tolist() == pytest.approx([1.0, 60, 100])
    assert one.path[-1].tolist() == pytest.approx([20.95, 259.5, 100], abs=1e-3)
    assert (np.diff(one.path[:, 0]) > 0).all()


def test_short_path_is_whole() -> None:
    seen = watch([Thing("car", straight(50, 100, 10))], steady(2))

    assert len(track(seen).tracks[0].path) == 50


def test_best_moment_is_large_and_sure_and_not_cut_off() -> None:
    seen = watch([Thing("car", straight(SIDE / 2, 100, 20))], steady(2))
    boxes, scores = seen.columns.boxes.copy(), seen.columns.scores.copy()
    boxes[0, 3] += 30  # the largest, at the left border
    boxes[20, 3] += 10
    scores[20] = 0.99
    columns = replace(seen.columns, boxes=boxes, scores=scores)
    size = ImageSize(width=640, height=480)

    def best(size: ImageSize | None) -> int:
        (one,) = follow(columns, seen.times, TrackStage(), item=0, size=size).tracks
        return one.best.frame_index

    assert best(size) == 20
    assert best(None) == 0


def test_two_frames_at_one_time_and_times_below_zero_are_followed() -> None:
    times = [(frame // 2) / 12.5 - 1.0 for frame in range(60)]
    seen = watch([Thing("car", straight(50, 100, 30))], times)

    assert ids_of(seen, track(seen).track_ids) == {0: [1]}


def test_boxes_without_area_are_passed_over() -> None:
    seen = watch([Thing("car", straight(50, 100, 30))], steady(2))
    boxes = seen.columns.boxes.copy()
    boxes[10] = [60, 90, 60, 110]
    boxes[20] = np.nan
    boxes[30] = np.inf
    columns = replace(seen.columns, boxes=boxes)

    found = follow(columns, seen.times, TrackStage(algorithm="ocsort"), item=0)

    assert np.flatnonzero(found.track_ids == 0).tolist() == [10, 20, 30]


@pytest.mark.parametrize("times", [[], [0.0], steady(2)], ids=["no frame", "one", "some"])
def test_video_without_detections_has_no_tracks(times: list[float]) -> None:
    found = track(watch([], times))

    assert (len(found.track_ids), found.tracks) == (0, ())


def test_detection_in_a_frame_that_was_not_analysed_is_refused() -> None:
    seen = watch([Thing("car", straight(50, 100, 30))], steady(2))
    late = replace(seen.columns, frame_index=seen.columns.frame_index + 1)

    with pytest.raises(ValueError, match="not analysed"):
        follow(late, seen.times, TrackStage(), item=0)


def test_more_objects_than_ids_is_an_error_that_says_so() -> None:
    with pytest.raises(VideoTooLong, match=r"1,000,000 objects .* is 999,999"):
        number_tracks(np.arange(1, TRACKS_PER_ITEM + 1), item=0)


def test_caller_can_stop_it_between_frames() -> None:
    class Stopped(Exception):
        pass

    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 3:
            raise Stopped

    seen = watch([Thing("car", straight(50, 100, 1))], steady(20))

    with pytest.raises(Stopped):
        follow(seen.columns, seen.times, TrackStage(), item=0, on_beat=beat)


def test_another_process_finds_the_same_bytes() -> None:
    program = f"from test_tracking import digest; print([digest(name) for name in {list(LIBRARY)}])"
    here = Path(__file__).parent
    environment = os.environ | {
        "PYTHONHASHSEED": "3",
        "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])]),
    }

    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)

    assert run.stdout.decode().strip() == str([digest(name) for name in LIBRARY]), run.stderr


def digest(algorithm: str) -> str:
    found = track(watch(CROWD, steady(6), noise=2.0, misses=0.1), algorithm=algorithm)
    told = hashlib.sha256(found.track_ids.tobytes())
    for one in found.tracks:
        told.update(repr(replace(one, path=())).encode() + one.path.tobytes())  # type: ignore[arg-type]
    return told.hexdigest()
