"""Which pictures share a forward pass."""

import pytest
from seeded import upstream_detector
from torch import nn

from vision.domain.image import ImageSize
from vision.models.batching import by_padded_shape, is_sliver


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return upstream_detector("fasterrcnn_mobilenet_v3_large_320_fpn")


def test_pictures_of_one_padded_shape_share_passes(network: nn.Module) -> None:
    wide, tall = ImageSize(width=640, height=480), ImageSize(width=480, height=640)

    groups = by_padded_shape([wide, tall, wide, wide, tall], network.transform)

    assert list(groups.values()) == [[0, 2, 3], [1, 4]]
    assert len(set(groups)) == 2


def test_slivers_are_in_no_batch(network: nn.Module) -> None:
    sliver = ImageSize(width=5000, height=1)

    assert is_sliver(sliver, network.transform)
    assert by_padded_shape([sliver], network.transform) == {}
