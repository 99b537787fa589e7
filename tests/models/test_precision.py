"""Which number format runs where, and that results say so."""

from pathlib import Path

import numpy as np
import pytest
import torch
from seeded import LABELS, picture, tiny_sam, upstream_detector
from tiny_embedders import open_added, save_dino

from vision.domain.prompt import Prompts
from vision.errors import OperatorError
from vision.models.base import DetectOptions, Embedder, ModelIdentity
from vision.models.device import PRECISIONS, Placement
from vision.models.segment_anything import SegmentAnything
from vision.models.torchvision_detection import TorchvisionDetector
from vision.pipelines.document import parse_pipeline
from vision.pipelines.image import ImagePipeline

HALF = ModelIdentity("it", "0" * 64, "cpu", "bfloat16")
WHOLE = ModelIdentity("it", "0" * 64, "cpu", "float32")
IMAGE = picture(150, 200, seed=1)


@pytest.mark.parametrize("precision", ["auto", *PRECISIONS])
def test_the_setting_for_gpus_says_nothing_about_cpus(precision: str) -> None:
    assert Placement.chosen("cpu", precision) == Placement("cpu", "float32")


def test_a_cpu_computes_in_the_format_set_for_cpus() -> None:
    chosen = Placement.chosen("cpu", "float16", cpu_precision="bfloat16")

    assert chosen == Placement("cpu", "bfloat16")
    assert chosen.is_reduced
    with chosen.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


@pytest.mark.parametrize("wrong", ["float16", "auto", "int8", ""])
def test_what_a_cpu_cannot_do_is_refused(wrong: str) -> None:
    with pytest.raises(OperatorError, match="precision on cpu"):
        Placement.chosen("cpu", "float32", cpu_precision=wrong)


def test_provenance_says_what_really_ran(tmp_path: Path) -> None:
    folder = save_dino(tmp_path / "theirs", "dinov2_small")
    for cpu_precision in ("float32", "bfloat16"):
        pool = open_added(
            tmp_path, folder, "dinov2_small", precision="float16", cpu_precision=cpu_precision
        )

        pipeline = ImagePipeline(parse_pipeline({"embed": {"model": "mine"}}), pool)

        assert pipeline.provenance.precision == cpu_precision
        assert pipeline.provenance.device == "cpu"


@pytest.mark.parametrize(
    "builder", ["maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn", "ssdlite320_mobilenet_v3_large"]
)
def test_detectors_bear_bfloat16_on_a_cpu(builder: str) -> None:
    network = upstream_detector(builder)

    found, expected = (
        TorchvisionDetector(network, identity=identity, labels=LABELS).detect(
            [IMAGE], DetectOptions(0.3, max_detections=5)
        )[0]
        for identity in (HALF, WHOLE)
    )

    assert len(found) == len(expected) == 5
    assert found.scores is not None
    np.testing.assert_allclose(found.scores, expected.scores, atol=0.3)
    assert (found.masks is None) == (expected.masks is None)


def test_segment_anything_bears_bfloat16_on_a_cpu() -> None:
    prompts = Prompts.from_boxes(np.array([[10, 20, 90, 120], [0, 0, 200, 150]], np.float32))
    half, whole = (SegmentAnything(tiny_sam(), identity=identity) for identity in (HALF, WHOLE))

    found = half.segment(half.embed(IMAGE), prompts)

    expected = whole.segment(whole.embed(IMAGE), prompts)
    for one, other in zip(found.masks, expected.masks, strict=True):
        assert (one.bitmap() ^ other.bitmap()).mean() < 0.05
    assert not np.array_equal(found.predicted_iou, expected.predicted_iou)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_auto_on_a_gpu_is_bfloat16_where_the_card_computes_in_it() -> None:
    native = torch.cuda.is_bf16_supported(including_emulation=False)

    chosen = Placement.chosen("cuda", "auto")

    assert chosen.precision == ("bfloat16" if native else "float32")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_gpu_finds_its_number_and_gives_the_cpus_vectors(tmp_path: Path, precision: str) -> None:
    folder = save_dino(tmp_path / "theirs", "dinov2_small")
    pictures = [picture(60 + seed, 80, seed=seed) for seed in range(40)]
    on_cpu = open_added(tmp_path, folder, "dinov2_small").get("mine", Embedder)
    on_gpu = open_added(tmp_path, folder, "dinov2_small", device="cuda", precision=precision).get(
        "mine", Embedder
    )

    likeness = (on_gpu.embed(pictures) * on_cpu.embed(pictures)).sum(axis=1)

    assert (likeness > (0.9999 if precision == "float32" else 0.99)).all()
    assert on_gpu.identity.precision == precision
