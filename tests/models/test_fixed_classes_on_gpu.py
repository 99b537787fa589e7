"""DETR, Mask2Former, V-JEPA 2 and torchvision's other networks answer on a GPU as on the CPU."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.models
from seeded import picture
from tiny_queries import NAMES, save_detr, save_detr_panoptic, save_mask2former

from vision.models.base import (
    Classifier,
    ClassifyOptions,
    ClipClassifier,
    DetectOptions,
    Detector,
    Model,
    ModelIdentity,
)
from vision.models.catalogue import listed_specs
from vision.models.families import family_of

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU"),
]
PICTURES = [picture(90, 130, seed=3), picture(120, 77, seed=5), picture(90, 130, seed=4)]
ALL = DetectOptions(min_score=0.0, max_detections=1000)
DETECTORS: dict[str, Callable[[Path], Path]] = {
    "detr_resnet_50": save_detr,
    "detr_resnet_50_panoptic": save_detr_panoptic,
    "mask2former_tiny_coco_instance": save_mask2former,
    "mask2former_tiny_coco_panoptic": save_mask2former,
    "mask2former_tiny_ade_semantic": save_mask2former,
}


def loaded(
    like: str, weights: Path, interface: type[Model], device: str, precision: str = "float32"
) -> Model:
    spec = listed_specs()[like]
    spec = spec if spec.labels and not weights.is_dir() else replace(spec, labels=NAMES)
    identity = ModelIdentity("it", "0" * 64, device, precision)
    return family_of(spec).loaders[interface](spec, weights, identity)


@pytest.mark.parametrize("like", DETECTORS)
def test_detector_finds_the_same_as_on_the_cpu(tmp_path: Path, like: str) -> None:
    folder = DETECTORS[like](tmp_path / "it")
    on_cpu, on_gpu = (loaded(like, folder, Detector, device) for device in ("cpu", "cuda"))
    assert isinstance(on_cpu, Detector)
    assert isinstance(on_gpu, Detector)

    expected, found = on_cpu.detect(PICTURES, ALL), on_gpu.detect(PICTURES, ALL)

    for one, other in zip(found, expected, strict=True):
        assert abs(len(one) - len(other)) <= 1
        if len(one) and len(other):
            assert one.scores is not None
            assert other.scores is not None
            assert abs(float(one.scores[0]) - float(other.scores[0])) < 0.02


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("like", DETECTORS)
def test_detector_runs_in_reduced_precision(tmp_path: Path, like: str, precision: str) -> None:
    folder = DETECTORS[like](tmp_path / "it")
    detector = loaded(like, folder, Detector, "cuda", precision)
    assert isinstance(detector, Detector)

    found = detector.detect(PICTURES * 3, ALL)

    assert len(found[0]) > 0
    for rows in found:
        assert np.isfinite(rows.boxes).all()
        assert rows.scores is None or np.isfinite(rows.scores).all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize(
    "name", ["mobilenet_v3_small", "lraspp_mobilenet_v3_large", "mc3_18", "swin_v2_t"]
)
def test_torchvision_runs(tmp_path: Path, name: str, precision: str) -> None:
    torch.manual_seed(7)
    labels = listed_specs()[name].labels
    network = torchvision.models.get_model(
        name,
        weights=None,
        num_classes=len(labels),
        **({"weights_backbone": None} if name.startswith("lraspp") else {}),
    )
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    interface = {"mc3_18": ClipClassifier, "lraspp_mobilenet_v3_large": Detector}
    model = loaded(
        name, tmp_path / "weights.pth", interface.get(name, Classifier), "cuda", precision
    )

    if isinstance(model, Detector):
        assert len(model.detect(PICTURES, ALL)) == 3
    if isinstance(model, Classifier):
        answers = model.classify(PICTURES, ClassifyOptions(top=5))
        assert all(np.isfinite(one.scores).all() and len(one) == 5 for one in answers)
    if isinstance(model, ClipClassifier):
        assert len(model.classify(PICTURES[:1], ClassifyOptions(top=5))) == 5
