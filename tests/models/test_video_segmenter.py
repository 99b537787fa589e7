"""What every follower of prompted objects promises. Families add their factory to FAMILIES.

The networks among them have random weights: what they promise whatever they see is tested with
all, and that objects are really followed with the one that knows colors.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest
import tiny_video_sams
from color_follower import ColorFollower
from tiny_video_sams import tiny_word_follower

from vision.domain.detections import ANY_OBJECT
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.models.video import (
    STATE_FORMAT,
    Course,
    FrameMasks,
    ObjectPrompt,
    VideoSegmenter,
    VideoSession,
)

SIZE = ImageSize(width=64, height=48)
Family = Callable[[], VideoSegmenter]
NETWORKS: dict[str, Family] = {
    name: partial(tiny_video_sams.tiny_follower, name) for name in tiny_video_sams.FAMILIES
}
FAMILIES: dict[str, Family] = {"color": ColorFollower, **NETWORKS}
UNDERSTANDING: dict[str, Family] = {"color": ColorFollower, "sam3_video": tiny_word_follower}
WORDS = ("red", "blue")
each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
each_that_follows = pytest.mark.parametrize("family", [ColorFollower], ids=["color"])
each_understanding = pytest.mark.parametrize("family", UNDERSTANDING.values(), ids=UNDERSTANDING)


def frame(index: int) -> RgbImage:
    """A red square that goes right and a blue one that goes left, in fading light."""
    image = np.full((SIZE.height, SIZE.width, 3), 90, np.uint8)
    light = 1 - index / 100
    image[8:16, index : index + 8] = np.array([250, 20, 20]) * light
    image[30:38, 50 - index : 58 - index] = np.array([20, 20, 250]) * light
    return image


def red(index: int) -> ObjectPrompt:
    return ObjectPrompt(1, points=np.array([[index + 4, 12, 1]], np.float32))


def blue(index: int) -> ObjectPrompt:
    box = np.array([50 - index, 30, 58 - index, 38], np.float32)
    return ObjectPrompt(2, box=box)


def left_edges(found: FrameMasks) -> list[int]:
    return [int(np.flatnonzero(mask.bitmap().any(axis=0))[0]) for mask in found.masks]


@each_that_follows
def test_objects_are_followed_from_where_they_were_pointed_at(family: Family) -> None:
    session = family().start(SIZE)

    session.feed(frame(0), frame_index=0, prompts=[red(0), blue(0)])
    found = [session.feed(frame(index), frame_index=index) for index in range(1, 40)]

    assert [one.object_ids.tolist() for one in found] == [[1, 2]] * 39
    assert [left_edges(one) for one in found] == [[i, 50 - i] for i in range(1, 40)]
    assert found[0].labels == (ANY_OBJECT, ANY_OBJECT)


@each_that_follows
def test_objects_join_on_the_way(family: Family) -> None:
    session = family().start(SIZE)

    before = session.feed(frame(3), frame_index=3)
    first = session.feed(frame(4), frame_index=4, prompts=[blue(4)])
    second = session.feed(frame(9), frame_index=9, prompts=[red(9)])

    assert len(before) == 0
    assert left_edges(first) == [46]
    assert left_edges(second) == [9, 41]


@each_that_follows
def test_frames_may_come_from_last_to_first(family: Family) -> None:
    session = family().start(SIZE, reverse=True)

    session.feed(frame(30), frame_index=30, prompts=[red(30)])
    found = [session.feed(frame(index), frame_index=index) for index in range(29, -1, -1)]

    assert [left_edges(one) for one in found] == [[i] for i in range(29, -1, -1)]


@each_that_follows
def test_mask_of_one_frame_is_a_prompt_of_another_session(family: Family) -> None:
    drawn = family().start(SIZE).feed(frame(5), frame_index=5, prompts=[red(5)])
    session = family().start(SIZE)

    found = session.feed(frame(5), frame_index=5, prompts=[ObjectPrompt(7, mask=drawn.masks[0])])

    assert found.object_ids.tolist() == [7]
    assert found.masks == drawn.masks


@each_family
def test_session_goes_on_in_another_place_as_if_never_put_aside(family: Family) -> None:
    whole, parted = family().start(SIZE), family().start(SIZE)
    for session in (whole, parted):
        session.feed(frame(0), frame_index=0, prompts=[red(0), blue(0)])

    for index in range(1, 22 if family in NETWORKS.values() else 30):
        if index % 7 == 0:
            parted = family().resume(parted.save())
        one = whole.feed(frame(index), frame_index=index)
        other = parted.feed(frame(index), frame_index=index)

        assert one.masks == other.masks
        assert one.presence.tobytes() == other.presence.tobytes()


@each_family
def test_all_known_objects_are_told_in_every_frame(family: Family) -> None:
    session = family().start(SIZE)

    before = session.feed(frame(2), frame_index=2)
    first = session.feed(frame(3), frame_index=3, prompts=[blue(3)])
    later = session.feed(frame(4), frame_index=4)
    # It joins with a lower number, and the frames between are left out.
    second = session.feed(frame(9), frame_index=9, prompts=[red(9)])

    assert len(before) == 0
    assert first.object_ids.tolist() == later.object_ids.tolist() == [2]
    assert second.object_ids.tolist() == [1, 2]
    assert second.labels == (ANY_OBJECT, ANY_OBJECT)
    assert {mask.size for mask in second.masks} == {SIZE}
    assert ((second.presence >= 0) & (second.presence <= 1)).all()


@each_family
def test_objects_prompted_in_one_frame_in_all_ways_all_survive(family: Family) -> None:
    session = family().start(SIZE)
    bitmap = np.zeros((SIZE.height, SIZE.width), np.bool_)
    bitmap[20:30, 20:30] = True
    both = ObjectPrompt(
        9,
        points=np.array([[20, 20, 1], [4, 4, 0]], np.float32),
        box=np.array([15, 15, 30, 30], np.float32),
    )
    drawn = ObjectPrompt(4, mask=RleMask.from_bitmap(bitmap))

    session.feed(frame(1), frame_index=1, prompts=[both, blue(1), drawn, red(1)])
    found = session.feed(frame(2), frame_index=2, prompts=[red(2)])

    assert found.object_ids.tolist() == [1, 2, 4, 9]


@each_family
def test_session_in_reverse_is_one_of_the_frames_in_that_order(family: Family) -> None:
    forward, backward = family().start(SIZE), family().start(SIZE, reverse=True)

    for count, index in enumerate(range(30, 18, -2)):
        prompts = [red(index), blue(index)] if count in (0, 3) else []
        one = forward.feed(frame(index), frame_index=count, prompts=prompts)
        other = backward.feed(frame(index), frame_index=index, prompts=prompts)

        assert one.masks == other.masks


@each_family
def test_state_does_not_grow_with_the_video(family: Family) -> None:
    session = family().start(SIZE)
    session.feed(frame(100), frame_index=100, prompts=[red(0), blue(0)])
    lengths = []
    for index in range(101, 135 if family in NETWORKS.values() else 500):
        session.feed(frame(index % 40), frame_index=index)
        lengths.append(len(session.save()))

    # Digits of the frames' numbers aside, nothing may be added once the memory is full.
    assert lengths[-1] - lengths[24] <= 2


@each_understanding
def test_words_are_the_labels_of_what_is_found(family: Family) -> None:
    session = family().start(SIZE, words=WORDS)

    found = session.feed(frame(2), frame_index=2)

    assert 0 < len(found) == len(found.masks)
    assert set(found.labels) <= set(WORDS)
    assert (found.object_ids > 0).all()


@each_understanding
def test_session_with_words_goes_on_in_another_place(family: Family) -> None:
    whole, parted = (family().start(SIZE, words=WORDS, max_objects=7) for _ in range(2))

    for index in range(14):
        if index % 6 == 5:
            parted = family().resume(parted.save())
        one = whole.feed(frame(index), frame_index=index)
        other = parted.feed(frame(index), frame_index=index)

        assert (one.masks, one.labels) == (other.masks, other.labels)
        assert one.presence.tobytes() == other.presence.tobytes()
    assert parted.course == whole.course


def test_words_find_objects_by_themselves() -> None:
    session = ColorFollower().start(SIZE, words=["blue"])

    found = session.feed(frame(2), frame_index=2)

    assert found.labels == ("blue",)
    assert left_edges(found) == [48]


def test_words_are_refused_by_a_model_that_understands_none() -> None:
    class Mute(ColorFollower):
        understands_words = False

    with pytest.raises(ValueError, match="color understands no words"):
        Mute().start(SIZE, words=["blue"])


def test_session_of_another_model_is_refused() -> None:
    state = ColorFollower().start(SIZE).save()

    with pytest.raises(ValueError, match="a session of color, asked of tint"):
        ColorFollower("tint").resume(state)


@each_family
@pytest.mark.parametrize("cut", [slice(0, -1), slice(1, None), slice(0, 20), slice(0, 0)])
def test_damaged_session_is_refused(family: Family, cut: slice) -> None:
    follower = family()
    session = follower.start(SIZE)
    session.feed(frame(0), frame_index=0, prompts=[red(0)])

    with pytest.raises(ValueError, match="session"):
        follower.resume(session.save()[cut])


@each_family
def test_session_with_one_bit_changed_is_refused(family: Family) -> None:
    follower = family()
    session = follower.start(SIZE)
    session.feed(frame(0), frame_index=0, prompts=[red(0)])
    state = session.save()

    for place in (len(state) // 5, len(state) // 2, len(state) - 1):
        wrong = bytearray(state)
        wrong[place] ^= 1
        with pytest.raises(ValueError, match="the saved session is damaged"):
            follower.resume(bytes(wrong))


def test_session_of_another_format_is_refused() -> None:
    state = ColorFollower().start(SIZE).save()
    other = state.replace(b"session %d " % STATE_FORMAT, b"session %d " % (STATE_FORMAT + 1), 1)

    with pytest.raises(ValueError, match="no saved session of format"):
        ColorFollower().resume(other)


def test_at_least_one_object_is_followed() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ColorFollower().start(SIZE, max_objects=0)


@pytest.mark.parametrize(("reverse", "order"), [(False, (4, 4)), (False, (4, 3)), (True, (3, 4))])
def test_frames_out_of_order_are_refused(reverse: bool, order: tuple[int, int]) -> None:
    session = ColorFollower().start(SIZE, reverse=reverse)
    session.feed(frame(order[0]), frame_index=order[0])

    with pytest.raises(ValueError, match=r"doesn't come"):
        session.feed(frame(order[1]), frame_index=order[1])


@pytest.mark.parametrize(
    ("image", "prompts", "reason"),
    [
        (np.zeros((48, 64), np.uint8), [], "height, width, 3"),
        (np.zeros((64, 48, 3), np.uint8), [], "a frame of"),
        (frame(0), [red(0), red(0)], "one prompt per object"),
        (
            frame(0),
            [ObjectPrompt(1, mask=RleMask.from_bitmap(np.ones((4, 4), np.bool_)))],
            "a mask has the size",
        ),
    ],
    ids=["gray", "other size", "same object twice", "mask of another size"],
)
def test_input_that_does_not_fit_is_refused(
    image: RgbImage, prompts: Sequence[ObjectPrompt], reason: str
) -> None:
    session = ColorFollower().start(SIZE)

    with pytest.raises(ValueError, match=reason):
        session.feed(image, frame_index=0, prompts=prompts)

    assert session.course == Course(SIZE, reverse=False, words=())


@pytest.mark.parametrize(
    "wrong",
    [
        {"object_id": 0, "box": np.zeros(4, np.float32)},
        {"object_id": 1},
        {"object_id": 1, "points": np.zeros((0, 3), np.float32)},
        {"object_id": 1, "points": np.zeros((1, 2), np.float32)},
        {"object_id": 1, "box": np.zeros((1, 4), np.float32)},
        {
            "object_id": 1,
            "box": np.zeros(4, np.float32),
            "mask": RleMask.from_bitmap(np.ones((4, 4), np.bool_)),
        },
    ],
    ids=["no number", "nothing", "no points", "points without a side", "boxes", "box and mask"],
)
def test_prompt_checks_itself(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"object id|give points|shape"):
        ObjectPrompt(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda found: FrameMasks(found.object_ids, (), found.presence, found.labels), "one mask"),
        (
            lambda found: FrameMasks(
                found.object_ids[::-1], found.masks, found.presence, found.labels
            ),
            "ascend",
        ),
        (
            lambda found: FrameMasks(
                found.object_ids[:1], found.masks[:1], found.presence[:1], found.labels[:1]
            ),
            r"no mask of the prompted objects \[2\]",
        ),
    ],
    ids=["no masks", "out of order", "forgotten"],
)
def test_family_that_breaks_its_promise_is_caught(
    spoil: Callable[[FrameMasks], FrameMasks], reason: str
) -> None:
    class Wrong(VideoSession):
        def __init__(self, right: VideoSession) -> None:
            super().__init__(right.model, right.course)
            self._right = right

        def _feed(self, image: RgbImage, prompts: Sequence[ObjectPrompt]) -> FrameMasks:
            return spoil(self._right.feed(image, frame_index=0, prompts=prompts))

        def _save(self) -> bytes:
            return b""

    with pytest.raises(ValueError, match=reason):
        Wrong(ColorFollower().start(SIZE)).feed(frame(0), frame_index=0, prompts=[red(0), blue(0)])
