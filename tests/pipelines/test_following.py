"""One session on its way through one chunk: what it is told when, and what it leaves."""

from fractions import Fraction

import numpy as np
import pytest
from follow_workshop import blue_at, following, open_color_pipeline, red_at, scene
from numpy.typing import NDArray

from vision.domain.chain import Link, Prompted
from vision.domain.findings import Findings
from vision.domain.video import Chunk, Frame
from vision.errors import InvalidRequest, NothingToFollow
from vision.pipelines.document import parse_pipeline
from vision.pipelines.frames_run import FramesRun


def chunk(link: Link, *, number: int = 1) -> Chunk:
    return Chunk(number, 0, None, 0, Fraction(1, 10), 10, 1.0, None, link)


def opened(
    document: dict[str, object], link: Link, *, number: int = 1, state: bytes | None = None
) -> FramesRun:
    return open_color_pipeline(document).open_frames(chunk(link, number=number), state)


def show(run: FramesRun, *indices: int) -> list[Findings]:
    return run.run([Frame(scene(index), index, index / 10) for index in indices])


def ids(found: Findings) -> list[int]:
    assert found.detections.object_ids is not None
    return found.detections.object_ids.tolist()


def tops(found: Findings) -> list[float]:
    boxes: NDArray[np.float32] = found.detections.boxes
    return boxes[:, 1].tolist()


def test_a_prompt_whose_frame_could_not_be_had_comes_with_the_next() -> None:
    document = following(red_at(2), blue_at(4))
    run = opened(document, Link(1, 1, prompts=(Prompted(2, 0), Prompted(4, 1))))

    found = show(run, 1, 3, 4)

    assert [ids(one) for one in found] == [[], [1], [1, 2]]


def test_backwards_that_is_the_one_before() -> None:
    document = following(red_at(5), direction="backward")
    run = opened(document, Link(1, 1, reverse=True, prompts=(Prompted(5, 0),)))

    found = show(run, 6, 4, 3)

    assert [ids(one) for one in found] == [[], [1], [1]]


def test_a_prompt_after_whose_frame_none_could_be_had_comes_in_the_next_chunk() -> None:
    document = following(red_at(0), blue_at(4))
    first = opened(document, Link(1, 2, prompts=(Prompted(0, 0), Prompted(4, 1))))
    show(first, 0, 1)

    second = opened(document, Link(1, 2), number=2, state=first.end().state)

    assert [ids(one) for one in show(second, 5, 6)] == [[1, 2], [1, 2]]


def test_of_two_prompts_that_are_due_the_last_one_counts() -> None:
    document = following(red_at(2), blue_at(3, id=1))
    run = opened(document, Link(1, 1, prompts=(Prompted(2, 0), Prompted(3, 1))))

    (found,) = show(run, 4)

    assert tops(found) == [40]


def test_a_detector_whose_frame_could_not_be_had_looks_at_the_next() -> None:
    document = parse_pipeline({"detect": {"model": "colors"}, "follow": {"model": "color"}})
    run = opened(document.normal_form, Link(1, 1, seed_index=2))

    found = show(run, 3, 4)

    assert [one.detections.labels for one in found] == [("red thing", "blue thing")] * 2


def test_where_the_detector_finds_nothing_nothing_is_followed() -> None:
    document = parse_pipeline({"detect": {"model": "colors"}, "follow": {"model": "color"}})
    run = opened(document.normal_form, Link(1, 2, seed_index=0))

    gray = Frame(np.full((64, 128, 3), 90, np.uint8), 0, 0.0)
    (found,) = run.run([gray])
    state = run.end().state

    assert len(found.detections) == 0
    assert state is not None
    later = opened(document.normal_form, Link(1, 2), number=2, state=state)
    assert len(show(later, 1)[0].detections) == 0


def test_what_the_detector_called_it_is_known_in_the_next_chunk() -> None:
    document = parse_pipeline({"detect": {"model": "colors"}, "follow": {"model": "color"}})
    first = opened(document.normal_form, Link(1, 2, seed_index=0))
    show(first, 0, 1)

    second = opened(document.normal_form, Link(1, 2), number=2, state=first.end().state)

    (found,) = show(second, 2)
    assert found.detections.labels == ("red thing", "blue thing")
    assert found.detections.class_ids.tolist() == [1, 2]


def test_what_is_out_of_sight_is_no_row() -> None:
    run = opened(following(red_at(0), blue_at(0)), Link(1, 1, prompts=(Prompted(0, 0),)))
    show(run, 0)

    without_red = scene(1)
    without_red[:30] = 90
    (found,) = run.run([Frame(without_red, 1, 0.1)])

    assert len(found.detections) == 0
    assert found.detections.masks == ()


def test_labels_are_the_callers() -> None:
    document = following(red_at(0), blue_at(0), red_at(3, label="other name"))
    run = opened(document, Link(1, 1, prompts=(Prompted(0, 0), Prompted(0, 1))))

    (found,) = show(run, 0)

    assert found.detections.labels == ("ball", "object")


@pytest.mark.parametrize("number", [1, 2])
def test_nothing_is_left_where_nothing_comes_or_nothing_goes_on(number: int) -> None:
    link = Link(1, 2, prompts=(Prompted(0, 0),))
    run = opened(following(red_at(0)), link, number=number)
    if number == 2:
        show(run, 0)

    assert run.end().state is None


def test_who_knows_nothing_and_is_told_nothing_fails() -> None:
    with pytest.raises(NothingToFollow, match="in an earlier stretch"):
        opened(following(red_at(0)), Link(1, 2), number=2)


def test_a_state_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="saved session"):
        opened(
            following(red_at(0)), Link(1, 2), number=2, state=b'{"names": [], "due": []}\nnonsense'
        )


def test_images_of_another_size_than_pointed_at_are_refused() -> None:
    pipeline = open_color_pipeline(following(red_at(60)))

    with pytest.raises(InvalidRequest, match="outside of the frames, which are 16x12"):
        pipeline.run([np.zeros((12, 16, 3), np.uint8)])


def test_stages_are_in_the_provenance() -> None:
    document = {
        "detect": {"model": "colors"},
        "follow": {"model": "color"},
        "embed": {"model": "mean", "of": "detections"},
    }

    provenance = open_color_pipeline(document).provenance

    told = [(one.stage, one.model) for one in provenance.stages]
    assert told == [("detect", "colors"), ("follow", "color"), ("embed", "mean")]
    assert provenance.stages[1].parameters["direction"] == "forward"
