"""What every family promises, asked of every family on small seeded random networks."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np
import pytest
import torch
from fixed_detectors import FIXED_DETECTORS
from loaded_sams import POINTED_AT, load_tiny
from seeded import FIXED_SIZE, LABELS, picture, tiny_sam, upstream_detector

from vision.domain.detections import ANY_OBJECT
from vision.domain.image import ImageSize
from vision.domain.prompt import Prompts
from vision.errors import InvalidRequest
from vision.models.base import (
    DetectOptions,
    Detector,
    EverythingOptions,
    ModelIdentity,
    PromptSegmenter,
)
from vision.models.demo_networks import DEMO_LABELS, build_demo_maskrcnn, build_demo_sam
from vision.models.segment_anything import SegmentAnything
from vision.models.torchvision_detection import TorchvisionDetector
from vision.models.transformers_sam import TransformersSam

IDENTITY = ModelIdentity("it", "0" * 64, "cpu", "float32")
ALL = DetectOptions(min_score=0.0, max_detections=7)
FEW_POINTS = EverythingOptions(
    points_per_side=2, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0
)
SIZES = [(96, 128), (256, 256), (1, 1), (3, 200), (300, 17)]
SLIVERS = [(1, 5000), (5000, 1)]


def torchvision_detector(builder: str) -> TorchvisionDetector:
    labels = ("no person", "person") if builder.startswith("keypoint") else LABELS
    network = upstream_detector(builder, num_classes=len(labels))
    return TorchvisionDetector(network, identity=IDENTITY, labels=labels)


def demo_detector() -> TorchvisionDetector:
    torch.manual_seed(3)
    labels = ("__background__", *DEMO_LABELS)
    return TorchvisionDetector(build_demo_maskrcnn(), identity=IDENTITY, labels=labels)


def demo_segmenter() -> SegmentAnything:
    torch.manual_seed(3)
    return SegmentAnything(build_demo_sam(), identity=IDENTITY)


def tiny_segmenter() -> SegmentAnything:
    return SegmentAnything(tiny_sam(), identity=IDENTITY)


def transformers_segmenter(family: str) -> TransformersSam:
    model = load_tiny(family, PromptSegmenter)
    assert isinstance(model, TransformersSam)
    return model


Segmenter: TypeAlias = SegmentAnything | TransformersSam
SEGMENTERS: Mapping[str, Callable[[], Segmenter]] = {
    "tiny_sam": tiny_segmenter,
    "demo_sam": demo_segmenter,
    **{name: partial(transformers_segmenter, name) for name in POINTED_AT},
}
"""Both a `PromptSegmenter` and a `MaskGenerator`."""


DETECTORS: dict[str, Callable[[], Detector]] = {
    name: lambda name=name: torchvision_detector(name)  # type: ignore[misc]
    for name in (
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "maskrcnn_resnet50_fpn",
        "keypointrcnn_resnet50_fpn",
        "retinanet_resnet50_fpn",
        "fcos_resnet50_fpn",
        "ssdlite320_mobilenet_v3_large",
    )
} | {"demo_maskrcnn": demo_detector, **FIXED_DETECTORS}


@pytest.fixture(scope="module", params=DETECTORS)
def detector(request: pytest.FixtureRequest) -> Detector:
    return DETECTORS[request.param]()


@pytest.fixture(scope="module", params=SEGMENTERS)
def segmenter(request: pytest.FixtureRequest) -> Segmenter:
    return SEGMENTERS[request.param]()


def test_detector_answers_every_size_in_order(detector: Detector) -> None:
    images = [picture(height, width) for height, width in SIZES]

    found = detector.detect(images, ALL)

    assert len(found) == len(images)
    for image, rows in zip(images, found, strict=True):
        size = ImageSize.of(image)
        assert len(rows) <= ALL.max_detections
        assert rows.scores is not None
        assert (np.diff(rows.scores) <= 0).all()
        assert (rows.boxes >= 0).all()
        assert (rows.boxes <= [size.width, size.height] * 2).all()
        assert rows.labels == tuple(detector.labels[class_id] for class_id in rows.class_ids)
        assert all(mask.size == size for mask in rows.masks or ())


def test_detector_finds_nothing_in_a_sliver(
    detector: Detector, request: pytest.FixtureRequest
) -> None:
    found = detector.detect([picture(height, width) for height, width in SLIVERS], ALL)

    if not any(name in request.node.name for name in FIXED_SIZE):  # these stretch every picture
        assert [len(rows) for rows in found] == [0, 0]


def test_detector_takes_no_images_at_all(detector: Detector) -> None:
    assert detector.detect([], ALL) == []


def test_detector_keeps_to_its_options(detector: Detector) -> None:
    image = picture(96, 128)
    everything = detector.detect([image], DetectOptions(min_score=0.0, max_detections=50))[0]
    assert everything.scores is not None
    middle = float(everything.scores[len(everything) // 2])
    label = everything.labels[-1]

    by_score = detector.detect([image], DetectOptions(min_score=middle, max_detections=50))[0]
    by_label = detector.detect([image], DetectOptions(0.0, frozenset({label}), 50))[0]

    assert by_score.scores is not None
    assert (by_score.scores >= np.float32(middle)).all()
    assert middle in by_score.scores
    assert set(by_label.labels) == {label}


def test_detector_with_nothing_above_its_score_has_empty_columns(
    detector: Detector,
) -> None:
    found = detector.detect([picture(96, 128)], DetectOptions(min_score=1.0))[0]

    assert len(found) == 0
    assert found.scores is not None


def test_detector_says_the_same_twice(detector: Detector) -> None:
    first, second = (detector.detect([picture(96, 128)], ALL)[0] for _ in range(2))

    np.testing.assert_array_equal(first.boxes, second.boxes)
    np.testing.assert_array_equal(first.scores, second.scores)
    assert first.masks == second.masks


def test_detector_refuses_other_pixels(detector: Detector) -> None:
    with pytest.raises(ValueError, match="uint8"):
        detector.detect([np.zeros((9, 9, 3), np.float32)], ALL)  # type: ignore[list-item]


def test_segmenter_gives_one_mask_per_object_points_first(segmenter: Segmenter) -> None:
    for height, width in SIZES:
        embedding = segmenter.embed(picture(height, width))
        boxes = np.array([[0, 0, width, height], [0, 0, width / 2, height / 2]], np.float32)
        points = np.array([[width / 2, height / 2, 1]], np.float32)

        found = segmenter.segment(embedding, Prompts(points, boxes))
        of_boxes = segmenter.segment(embedding, Prompts.from_boxes(boxes))

        assert len(found.masks) == len(found.predicted_iou) == len(found.boxes) == 3
        assert found.masks[1:] == of_boxes.masks
        assert all(mask.size == ImageSize(width=width, height=height) for mask in found.masks)


def test_segmenter_boxes_are_tight(segmenter: Segmenter) -> None:
    boxes = np.array([[10, 10, 60, 60], [50, 5, 120, 90]], np.float32)

    found = segmenter.segment(segmenter.embed(picture(96, 128)), Prompts.from_boxes(boxes))

    for mask, box in zip(found.masks, found.boxes, strict=True):
        rows, columns = np.nonzero(mask.bitmap())
        tight = (columns.min(), rows.min(), columns.max(), rows.max()) if len(rows) else (0,) * 4
        assert tuple(box) == tight


def test_segmenter_without_prompts_gives_nothing(segmenter: Segmenter) -> None:
    embedding = segmenter.embed(picture(96, 128))

    found = segmenter.segment(embedding, Prompts.from_boxes(np.zeros((0, 4), np.float32)))

    assert found.masks == ()
    assert found.boxes.shape == (0, 4)


def test_segmenter_answers_a_sliver(segmenter: Segmenter) -> None:
    """segment-anything sees nothing of it, and nothing is found; others stretch it."""
    for height, width in SLIVERS:
        embedding = segmenter.embed(picture(height, width))
        boxes = np.array([[0, 0, width, height]], np.float32)

        (mask,) = segmenter.segment(embedding, Prompts.from_boxes(boxes)).masks
        everything = segmenter.generate(picture(height, width), FEW_POINTS)

        assert mask.size == ImageSize(width=width, height=height)
        if isinstance(segmenter, SegmentAnything):
            assert mask.area == len(everything) == 0


def test_segmenter_refuses_another_models_embedding(segmenter: Segmenter) -> None:
    other = SegmentAnything(tiny_sam(), identity=ModelIdentity("other", "1" * 64, "cpu", "float32"))
    embedding = other.embed(picture(96, 128))

    with pytest.raises(ValueError, match="embedding of other"):
        segmenter.segment(embedding, Prompts.from_boxes(np.zeros((0, 4), np.float32)))


def test_everything_names_nothing_and_has_no_scores(segmenter: Segmenter) -> None:
    found = segmenter.generate(picture(96, 128), FEW_POINTS)

    assert len(found) > 0
    assert set(found.labels) == {ANY_OBJECT}
    assert found.scores is None
    assert found.masks is not None
    assert found.predicted_iou is not None
    assert found.stability_scores is not None


def test_everything_cuts_no_tiny_picture_into_nothing(segmenter: Segmenter) -> None:
    options = replace(FEW_POINTS, points_per_side=8, points_per_batch=16, crop_n_layers=3)

    found = segmenter.generate(picture(5, 3), options)

    assert set(found.labels) <= {ANY_OBJECT}


def test_everything_refuses_crops_without_points(segmenter: Segmenter) -> None:
    options = replace(FEW_POINTS, crop_n_layers=2, crop_n_points_downscale_factor=4)

    with pytest.raises(InvalidRequest, match="points_per_side 2 leaves no point in crop layer 2"):
        segmenter.generate(picture(96, 128), options)


def test_memory_is_that_of_the_weights() -> None:
    sam = tiny_sam()
    floats = sum(parameter.numel() for parameter in sam.parameters())

    model = SegmentAnything(sam, identity=IDENTITY)

    assert model.memory_bytes >= 4 * floats
