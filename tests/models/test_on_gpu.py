"""The same answers on a GPU, up to rounding; reduced precision runs and stays close."""

import numpy as np
import pytest
import torch
from seeded import LABELS, picture, tiny_sam, upstream_detector

from vision.domain.prompt import Prompts
from vision.models.base import DetectOptions, EverythingOptions, ModelIdentity
from vision.models.segment_anything import SegmentAnything
from vision.models.torchvision_detection import TorchvisionDetector

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU"),
]
PICTURES = [picture(150, 200, seed=1), picture(97, 131, seed=2), picture(150, 200, seed=3)]
OPTIONS = DetectOptions(min_score=0.3, max_detections=5)
BOXES = Prompts.from_boxes(np.array([[10, 20, 90, 120], [0, 0, 200, 150]], np.float32))


def identity(device: str, precision: str = "float32") -> ModelIdentity:
    return ModelIdentity("it", "0" * 64, device, precision)


def detector(builder: str, device: str, precision: str = "float32") -> TorchvisionDetector:
    network = upstream_detector(builder)
    return TorchvisionDetector(network, identity=identity(device, precision), labels=LABELS)


@pytest.mark.parametrize("builder", ["maskrcnn_resnet50_fpn", "ssdlite320_mobilenet_v3_large"])
def test_detector_finds_the_same_as_on_the_cpu(builder: str) -> None:
    expected = detector(builder, "cpu").detect(PICTURES, OPTIONS)

    found = detector(builder, "cuda").detect(PICTURES, OPTIONS)

    for one, other in zip(found, expected, strict=True):
        assert len(one) == len(other)
        np.testing.assert_allclose(one.scores, other.scores, atol=0.02)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("builder", ["maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn"])
def test_detector_runs_in_reduced_precision(builder: str, precision: str) -> None:
    found = detector(builder, "cuda", precision).detect(PICTURES, OPTIONS)

    assert all(len(rows) > 0 and np.isfinite(rows.boxes).all() for rows in found)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_segmenter_cuts_out_nearly_the_same_as_on_the_cpu(precision: str) -> None:
    on_cpu = SegmentAnything(tiny_sam(), identity=identity("cpu"))
    on_gpu = SegmentAnything(tiny_sam(), identity=identity("cuda", precision))

    expected = on_cpu.segment(on_cpu.embed(PICTURES[0]), BOXES)
    found = on_gpu.segment(on_gpu.embed(PICTURES[0]), BOXES)

    for one, other in zip(found.masks, expected.masks, strict=True):
        assert (one.bitmap() ^ other.bitmap()).mean() < 0.05


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_everything_runs(precision: str) -> None:
    model = SegmentAnything(tiny_sam(), identity=identity("cuda", precision))
    options = EverythingOptions(
        points_per_side=3, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0
    )

    assert len(model.generate(PICTURES[0], options)) > 0
