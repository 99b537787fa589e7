"""Which frames are chosen, and the chunks in which they are read."""

from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from video_indexes import video

from vision.domain.video import Chunk, VideoIndex
from vision.errors import NoFrames
from vision.pipelines.sampling import Cut, cut
from vision.pipelines.stages import SampleStage

patiently = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A slow machine is no failure."""
TIME_BASES = (Fraction(1, 1000), Fraction(1, 90_000), Fraction(1001, 30_000), Fraction(1, 10**9))


def read(index: VideoIndex, chunk: Chunk) -> list[int]:
    """Frame indices that a reader of this chunk hands out."""
    if chunk.wanted is not None:
        return [frame.frame_index for frame in chunk.wanted]
    end = chunk.end_pts
    pts = index.frames.pts.tolist()
    return [i for i, at in enumerate(pts) if chunk.start_pts <= at and (end is None or at < end)]


def chosen(index: VideoIndex, made: Cut) -> list[int]:
    return [frame for chunk in made.chunks for frame in read(index, chunk)]


@st.composite
def videos(draw: st.DrawFn) -> VideoIndex:
    """Variable frame rates, negative and repeated times, keyframes anywhere or nowhere."""
    steps = draw(st.lists(st.sampled_from([0, 1, 7, 33, 34, 40, 500]), max_size=60))
    pts = [draw(st.integers(-200, 200))]
    for step in steps:
        pts.append(pts[-1] + step)
    keyframes = draw(st.sets(st.integers(0, len(pts) - 1)))
    base = draw(st.sampled_from(TIME_BASES))
    missing = draw(st.sampled_from([None, 1, 500]))
    declared = None if missing is None else len(pts) + missing
    return video(pts, keyframes=sorted(keyframes), time_base=base, declared=declared)


@st.composite
def samples(draw: st.DrawFn) -> SampleStage:
    measure = draw(
        st.sampled_from([{}, {"every_seconds": 0.1}, {"every_seconds": 1.0}, {"max_fps": 29.97}])
    )
    start = draw(st.sampled_from([None, -0.1, 0.04]))
    end = draw(st.sampled_from([None, 0.5, 1.234]))
    keyframes_only = draw(st.booleans())
    return SampleStage(
        **measure, start_seconds=start, end_seconds=end, keyframes_only=keyframes_only
    )


def by_the_rule(index: VideoIndex, sample: SampleStage) -> list[int]:
    """The documented rule, one frame at a time."""
    frames = index.frames
    times = [Fraction(pts) * frames.time_base for pts in frames.pts.tolist()]
    start, end = sample.start_seconds, sample.end_seconds
    keys = frames.is_keyframe.tolist()
    if not any(keys):
        keys[0] = True
    able = [
        i
        for i, at in enumerate(times)
        if (start is None or at >= Fraction(str(start)))
        and (end is None or at < Fraction(str(end)))
        and (keys[i] or not sample.keyframes_only)
    ]
    step = sample.step_seconds
    if step is None:
        return able
    first_of_bin: dict[int, int] = {}
    for i in able:
        first_of_bin.setdefault(floor((times[i] - times[able[0]]) / step), i)
    return list(first_of_bin.values())


@patiently
@given(index=videos(), sample=samples(), chunk_frames=st.integers(1, 20))
def test_every_chosen_frame_is_in_exactly_one_chunk(
    index: VideoIndex, sample: SampleStage, chunk_frames: int
) -> None:
    expected = by_the_rule(index, sample)
    if not expected:
        with pytest.raises(NoFrames):
            cut(index, sample, chunk_frames=chunk_frames)
        return

    made = cut(index, sample, chunk_frames=chunk_frames)

    assert chosen(index, made) == expected
    assert [chunk.number for chunk in made.chunks] == list(range(1, len(made.chunks) + 1))
    assert [chunk.frames for chunk in made.chunks] == [
        len(read(index, chunk)) for chunk in made.chunks
    ]


@patiently
@given(index=videos(), sample=samples(), chunk_frames=st.integers(1, 20))
def test_chunks_follow_each_other_from_keyframe_to_keyframe(
    index: VideoIndex, sample: SampleStage, chunk_frames: int
) -> None:
    try:
        chunks = cut(index, sample, chunk_frames=chunk_frames).chunks
    except NoFrames:
        return

    frames = index.frames
    starts = {int(frames.pts[0]), *frames.pts[frames.is_keyframe].tolist()}
    assert all(chunk.start_pts in starts for chunk in chunks)
    assert all(chunk.frames >= chunk_frames for chunk in chunks[:-1])
    for chunk, following in pairwise(chunks):
        assert chunk.end_pts == following.start_pts
    for chunk in chunks:
        assert int(frames.pts[chunk.first_index]) == chunk.start_pts
        for frame in chunk.wanted or ():
            assert frame.pts == frames.pts[frame.frame_index]
            assert chunk.start_pts <= frame.keyframe_pts <= frame.pts
            assert chunk.end_pts is None or frame.pts < chunk.end_pts


@patiently
@given(index=videos(), sample=samples())
def test_declared_frames_exceed_the_planned_ones_only_when_some_are_missing(
    index: VideoIndex, sample: SampleStage
) -> None:
    try:
        made = cut(index, sample, chunk_frames=5)
    except NoFrames:
        return

    planned = sum(chunk.frames for chunk in made.chunks)
    whole = index.frames_declared == len(index.frames)
    end = sample.end_seconds
    stops_before = end is not None and index.frames.seconds()[-1] >= end
    assert (made.frames_declared == planned) == (whole or stops_before)
    assert made.frames_declared >= planned


def test_chunk_closes_at_the_keyframe_after_it_is_full() -> None:
    index = video(range(0, 100), keyframes=range(0, 100, 10))

    chunks = cut(index, None, chunk_frames=25).chunks

    assert [(chunk.start_pts, chunk.end_pts, chunk.frames) for chunk in chunks] == [
        (0, 30, 30),
        (30, 60, 30),
        (60, 90, 30),
        (90, None, 10),
    ]
    assert all(chunk.wanted is None for chunk in chunks)
    assert sum(chunk.seconds for chunk in chunks) == pytest.approx(0.1)


@pytest.mark.parametrize("keyframes", [(0,), ()], ids=["one keyframe", "none flagged"])
def test_video_without_further_keyframes_is_one_chunk(keyframes: tuple[int, ...]) -> None:
    (chunk,) = cut(video(range(500), keyframes=keyframes), None, chunk_frames=10).chunks

    assert (chunk.frames, chunk.wanted, chunk.end_pts) == (500, None, None)


def test_frames_before_the_first_keyframe_are_the_first_chunks() -> None:
    index = video([-30, -20, 0, 10, 20, 30], keyframes=[2, 4])

    first, second = cut(index, None, chunk_frames=1).chunks

    assert (first.start_pts, first.end_pts, first.frames) == (-30, 20, 4)
    assert (second.start_pts, second.first_index, second.frames) == (20, 4, 2)


def test_frame_that_shares_its_time_with_a_keyframe_goes_with_it() -> None:
    index = video([0, 10, 20, 20, 30], keyframes=[0, 3])

    first, second = cut(index, None, chunk_frames=1).chunks

    assert (first.frames, second.frames, second.first_index) == (2, 3, 2)


def test_distance_is_kept_by_time_not_by_count() -> None:
    index = video([0, 5, 10, 400, 405, 900, 1000, 1001, 1999, 2000], keyframes=[0])

    (chunk,) = cut(index, SampleStage(every_seconds=0.5), chunk_frames=9).chunks

    assert [frame.pts for frame in chunk.wanted or ()] == [0, 900, 1000, 1999, 2000]


def test_no_frame_on_the_grid_is_lost_to_rounding() -> None:
    """In floating point 0.3 / 0.1 is below 3: the frame would fall into the bin before."""
    index = video(range(0, 90_000_000, 9000), time_base=Fraction(1, 90_000))

    (chunk,) = cut(index, SampleStage(every_seconds=0.1), chunk_frames=9).chunks

    assert (chunk.frames, chunk.wanted) == (10_000, None)


def test_steps_are_exact_where_integers_of_64_bits_are_too_small() -> None:
    index = video([0, 10**15, 2 * 10**15], time_base=Fraction(1, 10**9))
    sample = SampleStage(every_seconds=1.0000000000000002)

    (chunk,) = cut(index, sample, chunk_frames=9).chunks

    assert chunk.frames == 3


@pytest.mark.parametrize(
    ("stretch", "frames"),
    [
        ({"start_seconds": 0.3}, range(3, 10)),
        ({"end_seconds": 0.3}, range(0, 3)),
        ({"start_seconds": 0.299, "end_seconds": 0.301}, [3]),
        ({"start_seconds": -5, "end_seconds": 5}, range(10)),
    ],
    ids=["start included", "end excluded", "between", "wider than the video"],
)
def test_stretch_holds_its_start_and_not_its_end(stretch: dict[str, Any], frames: Any) -> None:
    index = video(range(0, 1000, 100), keyframes=[0, 5])

    assert chosen(index, cut(index, SampleStage(**stretch), chunk_frames=3)) == list(frames)


def test_seconds_of_the_chunks_add_up_to_the_stretch() -> None:
    index = video(range(0, 10_000, 40), keyframes=range(0, 250, 25))
    sample = SampleStage(every_seconds=0.2, start_seconds=1.5, end_seconds=7.25)

    made = cut(index, sample, chunk_frames=7)

    assert sum(chunk.seconds for chunk in made.chunks) == pytest.approx(5.75)


def test_frame_outside_the_chunks_keyframes_is_not_reachable_from_a_later_one() -> None:
    index = video([0, 10, 20, 30, 40, 50], keyframes=[0, 2, 4])

    (chunk,) = cut(index, SampleStage(every_seconds=0.03), chunk_frames=9).chunks

    assert [(frame.pts, frame.keyframe_pts) for frame in chunk.wanted or ()] == [(0, 0), (30, 20)]


@pytest.mark.parametrize(
    ("index", "sample"),
    [
        (video([], keyframes=[]), SampleStage()),
        (video([0, 10]), SampleStage(start_seconds=5)),
        (video([0, 10]), SampleStage(end_seconds=0)),
        (video([0, 10, 20], keyframes=[0]), SampleStage(start_seconds=0.01, keyframes_only=True)),
    ],
    ids=["no frames at all", "after the end", "before the start", "no keyframe there"],
)
def test_nothing_chosen_is_an_error_of_the_file(index: VideoIndex, sample: SampleStage) -> None:
    with pytest.raises(NoFrames):
        cut(index, sample, chunk_frames=5)


def test_file_cut_short_declares_the_missing_frames_in_proportion() -> None:
    index = video(range(0, 4000, 40), keyframes=[0], declared=300)

    assert cut(index, None, chunk_frames=50).frames_declared == 300
    assert cut(index, SampleStage(max_fps=5), chunk_frames=50).frames_declared == 60


def test_chunk_survives_its_way_through_json() -> None:
    index = video(range(0, 1000, 10), keyframes=range(0, 100, 30))

    for chunk in cut(index, SampleStage(max_fps=25), chunk_frames=9).chunks:
        assert Chunk.from_json(chunk.to_json()) == chunk
