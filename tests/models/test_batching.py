"""Which pictures share a forward pass."""

import pytest
from seeded import upstream_detector
from torch import nn

from vision.domain.image import ImageSize
from vision.models.batching import GPU_BATCH, batches, is_sliver


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return upstream_detector("fasterrcnn_mobilenet_v3_large_320_fpn")


def test_gpu_batches_hold_pictures_of_one_padded_shape_only(network: nn.Module) -> None:
    wide, tall = ImageSize(width=640, height=480), ImageSize(width=480, height=640)
    sizes = [wide, tall, wide, wide, tall]

    assert batches(sizes, network.transform, device="cuda") == [[0, 2, 3], [1, 4]]


def test_cpu_takes_pictures_one_by_one(network: nn.Module) -> None:
    sizes = [ImageSize(width=64, height=64)] * 3

    assert batches(sizes, network.transform, device="cpu") == [[0], [1], [2]]


def test_gpu_batches_are_bounded(network: nn.Module) -> None:
    sizes = [ImageSize(width=64, height=64)] * (GPU_BATCH * 2 + 1)

    lengths = [len(batch) for batch in batches(sizes, network.transform, device="cuda:0")]

    assert lengths == [GPU_BATCH, GPU_BATCH, 1]


def test_slivers_are_in_no_batch(network: nn.Module) -> None:
    sliver = ImageSize(width=5000, height=1)

    assert is_sliver(sliver, network.transform)
    assert batches([sliver], network.transform, device="cuda") == []
