"""A device's trouble in the product's own words, and nothing kept of what didn't fit."""

import weakref
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.job import ItemFailure
from vision.domain.provenance import Provenance
from vision.engine.batch_run import OUT_OF_MEMORY, run_batch
from vision.engine.device_pipeline import DevicePipeline
from vision.errors import DeviceMemoryFull


class Activations:
    """What a network holds while it runs."""


class SmallDevice:
    """Networks on a device that has room for two images, if nothing older lies there."""

    def __init__(self) -> None:
        self.provenance = Provenance((), "0", "cpu", "float32")
        self.held: list[weakref.ref[Activations]] = []

    def run(self, images: Sequence[RgbImage]) -> list[Findings]:
        activations = Activations()
        if any(earlier() is not None for earlier in self.held):
            raise AssertionError("what didn't fit before still lies there")
        self.held.append(weakref.ref(activations))
        if len(images) > 2 or any(image.shape[0] > 4 for image in images):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [Findings.empty() for _ in images]


def picture(height: int) -> RgbImage:
    return np.zeros((height, 4, 3), np.uint8)


def test_out_of_memory_is_said_and_lets_go() -> None:
    device = SmallDevice()

    with pytest.raises(DeviceMemoryFull, match="3 images at once don't fit") as raised:
        DevicePipeline(device).run([picture(4)] * 3)  # type: ignore[arg-type]

    assert isinstance(raised.value.__cause__, torch.OutOfMemoryError)
    assert [earlier() for earlier in device.held] == [None]


def test_halves_have_the_room_of_what_did_not_fit() -> None:
    device = SmallDevice()

    outcomes = run_batch(DevicePipeline(device), [picture(4)] * 7 + [picture(5)])  # type: ignore[arg-type]

    assert [isinstance(outcome, ItemFailure) for outcome in outcomes] == [False] * 7 + [True]
    assert outcomes[-1] == OUT_OF_MEMORY
