"""Our detectors against torchvision's own, called directly, on the same random weights."""

from functools import cache

import numpy as np
import pytest
import torch
import torchvision.models
from seeded import (
    DETECTION_BUILDERS,
    LABELS,
    as_pixels,
    detector_settings,
    picture,
    upstream_detector,
)
from torch import Tensor

from vision.domain.detections import Detections
from vision.domain.mask import RleMask
from vision.models import torchvision_networks
from vision.models.base import DetectOptions, ModelIdentity
from vision.models.torchvision_detection import TorchvisionDetector

PICTURE = picture(150, 200, seed=1)
OTHER_PICTURE = picture(131, 97, seed=2)
EVERY_BUILDER = pytest.mark.parametrize("builder", DETECTION_BUILDERS)
ROUNDING_PIXELS = 1e-4
"""We cut boxes at the image's edge after scaling back; upstream leaves the rounding."""


def num_classes(builder: str) -> int:
    return 2 if builder.startswith("keypoint") else len(LABELS)


def labels(builder: str) -> tuple[str, ...]:
    return ("no person", "person") if builder.startswith("keypoint") else LABELS


@cache
def ours(builder: str) -> TorchvisionDetector:
    network = upstream_detector(builder, num_classes=num_classes(builder))
    identity = ModelIdentity(builder, "0" * 64, "cpu", "float32")
    return TorchvisionDetector(network, identity=identity, labels=labels(builder))


def upstream(builder: str, **settings: float) -> dict[str, Tensor]:
    network = upstream_detector(builder, num_classes=num_classes(builder), **settings)
    with torch.no_grad():
        answer: dict[str, Tensor] = network([as_pixels(PICTURE)])[0]
    return answer


def chosen(answer: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {name: column[rows] for name, column in answer.items()}


def assert_equal(found: Detections, answer: dict[str, Tensor]) -> None:
    assert len(found) == len(answer["boxes"]) > 0
    np.testing.assert_allclose(found.boxes, answer["boxes"], rtol=0, atol=ROUNDING_PIXELS)
    np.testing.assert_array_equal(found.class_ids, answer["labels"])
    np.testing.assert_array_equal(found.scores, answer["scores"])
    assert (found.masks is not None) == ("masks" in answer)
    if found.masks is not None:
        assert found.masks == RleMask.from_bitmaps((answer["masks"][:, 0] > 0.5).numpy())
    assert (found.keypoints is not None) == ("keypoints" in answer)
    if found.keypoints is not None:
        np.testing.assert_array_equal(found.keypoints[..., :2], answer["keypoints"][..., :2])
        np.testing.assert_array_equal(found.keypoints[..., 2], answer["keypoints_scores"])


@EVERY_BUILDER
def test_limits_are_those_of_upstream_built_with_them(builder: str) -> None:
    answer = upstream(builder, **detector_settings(builder, score_thresh=0.3, limit=12))

    found = ours(builder).detect([PICTURE], DetectOptions(min_score=0.3, max_detections=12))[0]

    assert_equal(found, answer)


@EVERY_BUILDER
def test_results_are_upstreams_own_filtered_afterwards(builder: str) -> None:
    answer = upstream(builder)
    kept = torch.nonzero(answer["scores"] >= 0.5)[:30, 0]

    found = ours(builder).detect([PICTURE], DetectOptions(min_score=0.5, max_detections=30))[0]

    assert_equal(found, chosen(answer, kept))


@EVERY_BUILDER
def test_wanted_labels_are_chosen_before_counting(builder: str) -> None:
    answer = upstream(builder, **detector_settings(builder, score_thresh=0.2, limit=10_000))
    rarest = int(answer["labels"].bincount()[1:].nonzero()[-1]) + 1
    kept = torch.nonzero(answer["labels"] == rarest)[:9, 0]
    wanted = frozenset({labels(builder)[rarest]})

    found = ours(builder).detect(
        [PICTURE], DetectOptions(min_score=0.2, labels=wanted, max_detections=9)
    )[0]

    assert_equal(found, chosen(answer, kept))


@pytest.mark.parametrize("builder", ["fasterrcnn_resnet50_fpn", "fcos_resnet50_fpn"])
def test_more_than_upstreams_hundred_can_be_had(builder: str) -> None:
    answer = upstream(builder, **detector_settings(builder, score_thresh=0.01, limit=120))

    found = ours(builder).detect([PICTURE], DetectOptions(min_score=0.01, max_detections=120))[0]

    assert len(found) == 120
    assert_equal(found, answer)


@pytest.mark.parametrize("builder", ["maskrcnn_resnet50_fpn", "ssd300_vgg16"])
def test_a_picture_gives_the_same_in_any_company(builder: str) -> None:
    options = DetectOptions(min_score=0.3, max_detections=5)

    together = ours(builder).detect([PICTURE, OTHER_PICTURE, PICTURE], options)
    alone = [ours(builder).detect([image], options)[0] for image in (PICTURE, OTHER_PICTURE)]

    for found, expected in zip(together, [alone[0], alone[1], alone[0]], strict=True):
        np.testing.assert_array_equal(found.boxes, expected.boxes)
        np.testing.assert_array_equal(found.scores, expected.scores)
        assert found.masks == expected.masks


@pytest.mark.parametrize(
    "builder",
    [
        "retinanet_resnet50_fpn",
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "ssdlite320_mobilenet_v3_large",
    ],
    ids=["frozen, epsilon 0", "frozen, epsilon 1e-5", "not frozen"],
)
def test_published_weights_get_the_network_that_upstream_gives_them(
    builder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = upstream_detector(builder, num_classes=91).state_dict()
    monkeypatch.setattr(
        "torchvision.models._api.load_state_dict_from_url", lambda *_args, **_kwargs: state
    )
    network = getattr(torchvision.models.detection, builder)(
        weights=torchvision.models.get_model_weights(builder).DEFAULT
    )
    mine = torchvision_networks.load(builder, state, num_classes=91, is_published=True, what="it")
    for each in (network, mine):
        each.transform.min_size, each.transform.max_size = (128,), 192

    with torch.no_grad():
        expected = network.eval()([as_pixels(PICTURE)])[0]
        found = mine.eval()([as_pixels(PICTURE)])[0]

    assert len(expected["boxes"]) > 0
    for name, column in expected.items():
        torch.testing.assert_close(found[name], column, rtol=0, atol=0)
