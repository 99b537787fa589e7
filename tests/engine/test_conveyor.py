"""Bounded, in order, one pipeline at a time."""

import threading
from uuid import UUID

import numpy as np

from vision.domain.image import ImageSize
from vision.domain.job import Lease, WorkItem
from vision.domain.media import MediaFacts, MediaKind
from vision.domain.video import Frame
from vision.engine.conveyor import Conveyor, Decoded, DecodedFrames, DecodedItem

ZERO = UUID(int=0)
FACTS = MediaFacts(MediaKind.IMAGE, "image/png", ImageSize(2, 2))


def decoded(index: int, pipeline: str = "one", *, side: int = 2) -> DecodedItem:
    item = WorkItem(index, ZERO, "key", "name.png")
    lease = Lease(ZERO, 0, 0, 1, 0, {}, pipeline, (item,))
    return DecodedItem(lease, item, np.zeros((side, side, 3), np.uint8), FACTS)


def frames(*indexes: int) -> DecodedFrames:
    image = np.zeros((2, 2, 3), np.uint8)
    return DecodedFrames(decoded(0).lease, tuple(Frame(image, index, 0.0) for index in indexes))


def put(conveyor: Conveyor, *items: Decoded) -> None:
    for item in items:
        for _ in item.images:
            assert conveyor.reserve()
        conveyor.put(item)


def indexes(taken: list[Decoded]) -> list[int]:
    return [
        index
        for one in taken
        for index in (
            [one.item.index]
            if isinstance(one, DecodedItem)
            else [frame.frame_index for frame in one.frames]
        )
    ]


def test_images_come_out_in_order_and_at_most_so_many() -> None:
    conveyor = Conveyor(8)
    put(conveyor, *(decoded(index) for index in range(5)))

    assert indexes(conveyor.take(3)) == [0, 1, 2]
    assert indexes(conveyor.take(3)) == [3, 4]


def test_images_of_two_pipelines_are_never_taken_together() -> None:
    conveyor = Conveyor(8)
    put(conveyor, decoded(0), decoded(1, "two"), decoded(2))

    assert [indexes(conveyor.take(8)) for _ in range(3)] == [[0], [1], [2]]


def test_frames_that_were_put_together_are_taken_together_and_alone() -> None:
    conveyor = Conveyor(16)
    put(conveyor, decoded(0), frames(1, 2, 3), frames(4), decoded(5), decoded(6))

    taken = [indexes(conveyor.take(8)) for _ in range(4)]

    assert taken == [[0], [1, 2, 3], [4], [5, 6]]


def test_every_frame_has_its_place() -> None:
    conveyor = Conveyor(3)
    put(conveyor, frames(1, 2, 3))
    waiting = threading.Thread(target=conveyor.reserve)
    waiting.start()

    waiting.join(0.1)
    assert waiting.is_alive()
    conveyor.take(1)
    waiting.join(5)
    assert not waiting.is_alive()


def test_reserved_places_count() -> None:
    conveyor = Conveyor(2)
    assert conveyor.reserve()
    put(conveyor, decoded(0))
    waiting = threading.Thread(target=conveyor.reserve)
    waiting.start()

    waiting.join(0.1)
    assert waiting.is_alive()
    conveyor.forgo()
    waiting.join(5)
    assert not waiting.is_alive()


def test_large_images_fill_it_before_their_number_does() -> None:
    conveyor = Conveyor(100, max_bytes=1000)
    put(conveyor, decoded(0, side=20))
    waiting = threading.Thread(target=conveyor.reserve)
    waiting.start()

    waiting.join(0.1)
    assert waiting.is_alive()
    conveyor.take(1)
    waiting.join(5)
    assert not waiting.is_alive()


def test_what_waits_when_it_closes_is_still_taken() -> None:
    conveyor = Conveyor(8)
    put(conveyor, decoded(0))

    conveyor.close()

    assert not conveyor.reserve()
    assert indexes(conveyor.take(8)) == [0]
    assert conveyor.take(8) == []
