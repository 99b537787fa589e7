"""One image's trouble stays that image's trouble."""

from collections.abc import Sequence

import numpy as np
import pytest
from workshop import ColourPipeline, colour_detection

from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.job import ItemFailure
from vision.engine.batch_run import INTERNAL_ERROR, OUT_OF_MEMORY, run_batch
from vision.errors import DeviceMemoryFull, InvalidRequest, WeightsMissing


def picture(number: int) -> RgbImage:
    return np.full((2, 2, 3), (number, 0, 0), np.uint8)


class SmallDevice(ColourPipeline):
    """Has room for so many images at once, and for none of the colour 9."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.largest = 0

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        if len(images) > self.room or any(image[0, 0, 0] == 9 for image in images):
            raise DeviceMemoryFull("too much")
        self.largest = max(self.largest, len(images))
        return super().run(images)


class Choosy(ColourPipeline):
    """Raises an error for the colour 9."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        if any(image[0, 0, 0] == 9 for image in images):
            raise self.error
        return super().run(images)


def right_edges(outcomes: Sequence[Findings | ItemFailure]) -> list[float | ItemFailure]:
    return [
        outcome if isinstance(outcome, ItemFailure) else float(outcome.detections.boxes[0, 2])
        for outcome in outcomes
    ]


def test_a_batch_too_large_for_the_device_is_halved() -> None:
    device = SmallDevice(room=2)

    outcomes = run_batch(device, [picture(number) for number in range(8)])

    assert right_edges(outcomes) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert device.largest == 2


def test_an_image_too_large_for_the_device_fails_alone() -> None:
    outcomes = run_batch(SmallDevice(room=8), [picture(1), picture(9), picture(3)])

    assert right_edges(outcomes) == [1, OUT_OF_MEMORY, 3]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        pytest.param(RuntimeError("a bug"), INTERNAL_ERROR, id="unexpected"),
        pytest.param(
            InvalidRequest("the point lies outside the image"),
            ItemFailure("invalid_request", "the point lies outside the image"),
            id="the image doesn't fit the request",
        ),
    ],
)
def test_an_image_the_pipeline_stumbles_on_fails_alone(
    error: Exception, failure: ItemFailure
) -> None:
    outcomes = run_batch(Choosy(error), [picture(1), picture(9), picture(3)])

    assert right_edges(outcomes) == [1, failure, 3]


def test_what_an_operator_must_mend_is_not_blamed_on_images() -> None:
    with pytest.raises(WeightsMissing):
        run_batch(Choosy(WeightsMissing("gone")), [picture(9)])


def test_colours_tell_pictures_apart() -> None:
    assert float(colour_detection(picture(7)).boxes[0, 2]) == 7
