"""Where following begins, in which chunks it goes on, and which prompts come with which."""

from collections.abc import Mapping, Sequence

import pytest
from video_indexes import video

from vision.domain.chain import Link, Prompted
from vision.domain.video import Chunk, VideoIndex, is_ready_at_once
from vision.errors import InvalidPipeline, InvalidRequest, NoFrames
from vision.pipelines.document import parse_pipeline
from vision.pipelines.follow_plan import cut_to_follow
from vision.pipelines.sampling import Cut

FRAMES = 40
"""At 0.1 s; keyframes at 0, 10, 20, 30."""


def index(*, declared: int | None = None) -> VideoIndex:
    pts = [100 * number for number in range(FRAMES)]
    return video(pts, keyframes=(0, 10, 20, 30), declared=declared)


def at(seconds: float | None, object_id: int = 1) -> dict[str, object]:
    return {"id": object_id, "at_seconds": seconds, "points": [[5, 5, 1]]}


def plan(
    *objects: Mapping[str, object],
    over: VideoIndex | None = None,
    every_seconds: float | None = None,
    detect: bool = False,
    **stage: object,
) -> Cut:
    """In chunks of ten frames or a little more."""
    asked: dict[str, object] = {"follow": {"model": "color", "objects": list(objects), **stage}}
    if detect:
        asked["detect"] = {"model": "colors"}
    if every_seconds is not None:
        asked["sample"] = {"every_seconds": every_seconds}
    document = parse_pipeline(asked)
    assert document.follow is not None
    return cut_to_follow(
        over or index(), document.sample, document.follow, is_seeded=detect, chunk_frames=10
    )


def indices(chunk: Chunk) -> list[int]:
    """Of the frames that are handed out."""
    if chunk.wanted is None:
        return list(range(chunk.first_index, chunk.first_index + chunk.frames))
    return [one.frame_index for one in chunk.wanted]


def link(chunk: Chunk) -> Link:
    assert chunk.link is not None
    return chunk.link


def prompts(chunks: Sequence[Chunk]) -> list[list[tuple[int, int]]]:
    return [[(one.frame_index, one.place) for one in link(chunk).prompts] for chunk in chunks]


def test_forward_begins_with_the_first_prompt() -> None:
    made = plan(at(1.25, 1), at(2.7, 2))

    assert [indices(chunk) for chunk in made.chunks] == [
        list(range(12, 30)),
        list(range(30, 40)),
    ]
    assert made.frames_declared == 28
    assert prompts(made.chunks) == [[(12, 0), (27, 1)], []]
    assert [link(chunk).following(chunk.number) for chunk in made.chunks] == [2, None]
    assert [is_ready_at_once(chunk) for chunk in made.chunks] == [True, False]
    assert sum(chunk.seconds for chunk in made.chunks) == pytest.approx(2.8)


def test_backward_begins_with_the_last_prompt_and_works_to_the_beginning() -> None:
    made = plan(at(1.2, 1), at(2.7, 2), direction="backward")

    first, second, third = made.chunks
    assert [indices(chunk) for chunk in made.chunks] == [
        list(range(10)),
        list(range(10, 20)),
        list(range(20, 28)),
    ]
    assert prompts(made.chunks) == [[], [(12, 0)], [(27, 1)]]
    assert all(link(chunk).reverse for chunk in made.chunks)
    assert [is_ready_at_once(one) for one in (first, second, third)] == [False, False, True]
    assert [link(one).following(one.number) for one in (third, second, first)] == [2, 1, None]
    assert made.frames_declared == 28


def test_both_ways_share_the_frame_in_which_they_begin() -> None:
    made = plan(at(1.2, 1), at(2.7, 2), direction="both")

    earlier, later = made.chunks[:2], made.chunks[2:]
    assert [indices(chunk) for chunk in earlier] == [list(range(10)), [10, 11, 12]]
    assert [indices(chunk) for chunk in later] == [list(range(12, 30)), list(range(30, 40))]
    assert [chunk.frames for chunk in made.chunks] == [10, 2, 18, 10]
    assert [link(chunk).lead_index for chunk in made.chunks] == [None, 12, None, None]
    assert prompts(made.chunks) == [[], [(12, 0)], [(12, 0), (27, 1)], []]
    assert [is_ready_at_once(chunk) for chunk in made.chunks] == [False, True, True, False]
    assert [chunk.number for chunk in made.chunks] == [1, 2, 3, 4]
    assert made.frames_declared == FRAMES
    assert sum(chunk.seconds for chunk in made.chunks) == pytest.approx(4.0)


def test_both_ways_from_the_first_frame_is_forward() -> None:
    assert plan(at(None), direction="both") == plan(at(None))


def test_both_ways_from_the_last_frame_is_one_frame_forward() -> None:
    made = plan(at(3.9), direction="both")

    assert indices(made.chunks[-1]) == [39]
    assert sum(chunk.frames for chunk in made.chunks) == FRAMES


@pytest.mark.parametrize(
    ("direction", "seeds"),
    [("forward", [15, None]), ("backward", [None, 15]), ("both", [None, 15, 15, None])],
)
def test_the_detector_looks_where_following_begins(direction: str, seeds: list[int | None]) -> None:
    made = plan(detect=True, seed_seconds=1.5, direction=direction)

    assert [link(chunk).seed_index for chunk in made.chunks] == seeds


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_words_have_the_whole_video(direction: str) -> None:
    made = plan(text=["dog"], direction=direction)

    assert [frame for chunk in made.chunks for frame in indices(chunk)] == list(range(FRAMES))
    assert {link(chunk).first for chunk in made.chunks} == {4 if direction == "backward" else 1}


@pytest.mark.parametrize(("seconds", "frame"), [(0.6, 6), (1.1, 9), (1.2, 12), (3.99, 39)], ids=str)
def test_prompts_belong_to_the_sampled_frame_that_is_shown(seconds: float, frame: int) -> None:
    made = plan(at(seconds), every_seconds=0.3)

    assert link(made.chunks[0]).prompts == (Prompted(frame, 0),)


def test_frames_that_a_cut_file_lacks_are_missed_where_it_goes_on() -> None:
    whole, cut_short = index(), index(declared=50)

    assert plan(at(2.0), over=cut_short).frames_declared == 20 + 10
    assert plan(at(2.0), over=whole).frames_declared == 20
    assert plan(at(2.0), over=cut_short, direction="both").frames_declared == 50
    assert plan(at(2.0), over=cut_short, direction="backward").frames_declared == 21


def test_plans_survive_storage() -> None:
    for chunk in plan(at(1.2, 1), at(2.7, 2), direction="both").chunks:
        assert Chunk.from_json(chunk.to_json()) == chunk


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ([at(4.2)], r"no analysed frame is shown at 4\.2 s; they are from 0 s to 4 s"),
        ([at(-0.1)], r"no analysed frame is shown at -0\.1 s"),
        ([at(0.1), at(0.12)], r"object 1 is pointed at twice in the frame at 0\.1 s"),
        ([{**at(0), "points": [[641, 5, 1]]}], "outside of the frames, which are 640x480"),
        ([{"id": 1, "box": [600, 400, 640, 481]}], "outside of the frames"),
        ([{"id": 1, "mask": {"size": [2, 2], "counts": "4"}}], "another size than the frames"),
    ],
    ids=["too late", "too early", "twice", "point", "box", "mask"],
)
def test_prompts_that_do_not_fit_are_refused(objects: list[dict[str, object]], reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        plan(*objects)


def test_a_video_without_frames_has_no_plan() -> None:
    with pytest.raises(NoFrames):
        plan(at(0), over=video([], keyframes=()))


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ({"text": ["dog"], "direction": "both"}, "with text the direction is forward or backward"),
        ({"objects": [at(None)], "direction": "backward"}, "nothing lies before the first frame"),
        ({"objects": [at(1), at(1)]}, "pointed at twice in one moment"),
        ({"objects": [at(1, 1), at(1, 2)], "max_objects": 1}, "2 objects; max_objects is 1"),
        ({"objects": [at(1)], "text": ["dog"]}, "give objects, or text, or a detect stage"),
        ({}, "give objects, or text, or a detect stage"),
        ({"objects": [{"id": 1, "mask": {"size": [2, 2], "counts": "5"}}]}, "don't fill 2x2"),
    ],
    ids=["words both ways", "no way back", "same moment", "too many", "two kinds", "none", "mask"],
)
def test_stages_that_make_no_sense_are_refused(stage: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidPipeline) as caught:
        parse_pipeline({"follow": {"model": "color", **stage}})

    assert reason in "; ".join(error.detail for error in caught.value.errors)
