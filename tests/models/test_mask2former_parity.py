"""Mask2Former through the catalogue and a pipeline, against transformers on its folder."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_models import own_model, pool_of
from seeded import picture
from tiny_queries import NAMES, save_mask2former
from transformers import Mask2FormerForUniversalSegmentation, Mask2FormerImageProcessor

from vision.domain.detections import Detections
from vision.domain.mask import RleMask
from vision.errors import OperatorError
from vision.models.base import DetectOptions, Detector, ModelIdentity
from vision.models.catalogue import listed_specs
from vision.models.families import family_of
from vision.models.families.mask2former import KINDS
from vision.pipelines.document import parse_pipeline
from vision.pipelines.image import ImagePipeline

PICTURE = picture(90, 130, seed=3)
PICTURES = [PICTURE, picture(120, 77, seed=5), PICTURE, picture(3, 40), picture(1, 1)]
ALL = DetectOptions(min_score=0.0, max_detections=1000)
LIKE = {
    "instance": "mask2former_tiny_coco_instance",
    "panoptic": "mask2former_tiny_coco_panoptic",
    "semantic": "mask2former_tiny_ade_semantic",
}
EVERY_KIND = pytest.mark.parametrize("kind", LIKE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_mask2former(tmp_path_factory.mktemp("mask2former") / "it")


@pytest.fixture(scope="module")
def models_dir(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    for kind, like in LIKE.items():
        own_model(place, folder, name=kind, like=like)
    return place


@pytest.fixture(scope="module")
def outputs(folder: Path) -> Iterator[Any]:
    """What upstream's network says of the picture."""
    network = Mask2FormerForUniversalSegmentation.from_pretrained(folder).eval()
    processor = Mask2FormerImageProcessor.from_pretrained(folder)
    with torch.no_grad():
        yield network(**processor(images=[PICTURE.copy()], return_tensors="pt"))


def found(models_dir: Path, kind: str, **stage: object) -> Detections:
    """By a pipeline document, as a user's own model."""
    document = parse_pipeline({"detect": {"model": kind, **stage}})
    return ImagePipeline(document, pool_of(models_dir)).run([PICTURE])[0].detections


def assert_rows(rows: Detections, segments: list[dict[str, Any]], bitmaps: torch.Tensor) -> None:
    """The same things; upstream's highest score first and without what is no class."""
    pairs = [
        (segment, bitmap)
        for segment, bitmap in zip(segments, bitmaps, strict=True)
        if segment["label_id"] != 0
    ]
    pairs.sort(key=lambda pair: -pair[0]["score"])
    assert len(rows) == len(pairs) > 2
    assert rows.masks is not None
    for row, (segment, bitmap) in zip(rows, pairs, strict=True):
        assert row.class_id == segment["label_id"]
        assert row.score == pytest.approx(segment["score"], abs=1e-6)  # upstream rounds
        assert row.mask == RleMask.from_bitmap(bitmap.numpy())


@pytest.mark.parametrize("min_score", [0.0, 0.5])
def test_instances_are_upstreams(models_dir: Path, outputs: Any, min_score: float) -> None:
    answer = Mask2FormerImageProcessor().post_process_instance_segmentation(
        outputs, threshold=min_score, target_sizes=[(90, 130)], return_binary_maps=True
    )[0]

    rows = found(models_dir, "instance", min_score=min_score)

    assert_rows(rows, answer["segments_info"], answer["segmentation"] > 0)


@pytest.mark.parametrize("min_score", [0.0, 0.6])
def test_panoptic_segments_are_upstreams(models_dir: Path, outputs: Any, min_score: float) -> None:
    answer = Mask2FormerImageProcessor().post_process_panoptic_segmentation(
        outputs, threshold=min_score, target_sizes=[(90, 130)], label_ids_to_fuse=set()
    )[0]
    segments = answer["segments_info"]

    rows = found(models_dir, "panoptic", min_score=min_score)

    bitmaps = torch.stack([answer["segmentation"] == one["id"] for one in segments])
    assert_rows(rows, segments, bitmaps)


def test_semantic_regions_are_upstreams(models_dir: Path, outputs: Any) -> None:
    (answer,) = Mask2FormerImageProcessor().post_process_semantic_segmentation(
        outputs, target_sizes=[(90, 130)]
    )

    rows = found(models_dir, "semantic", min_score=0.0)

    present = [class_id for class_id in answer.unique().tolist() if class_id != 0]
    assert sorted(rows.class_ids) == present
    assert len(present) > 2
    assert rows.scores is not None
    assert (np.diff(rows.scores) <= 0).all()
    for row in rows:
        assert row.mask == RleMask.from_bitmap((answer == row.class_id).numpy())
        assert row.label == NAMES[row.class_id]
        assert 0 < float(row.score or 0) <= 1


@EVERY_KIND
def test_a_picture_gives_the_same_in_any_company(models_dir: Path, kind: str) -> None:
    detector = pool_of(models_dir).get(kind, Detector)

    together = detector.detect(PICTURES, ALL)
    alone = [detector.detect([image], ALL)[0] for image in PICTURES]

    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)
        assert one.masks == other.masks


@EVERY_KIND
def test_limits_are_kept(models_dir: Path, kind: str) -> None:
    detector = pool_of(models_dir).get(kind, Detector)
    every = detector.detect([PICTURE], ALL)[0]
    third = every.labels[2]

    some = detector.detect([PICTURE], DetectOptions(0.0, frozenset({third}), 2))[0]

    wanted = np.array([label == third for label in every.labels])
    assert some.masks == (every.select(wanted).masks or ())[:2]


@EVERY_KIND
def test_slivers_have_nothing(models_dir: Path, kind: str) -> None:
    detector = pool_of(models_dir).get(kind, Detector)

    rows = detector.detect([picture(1, 5000), picture(5000, 1), PICTURE], ALL)

    assert [len(one) > 0 for one in rows] == [False, False, True]


def test_every_listed_builder_is_a_kind(folder: Path) -> None:
    specs = [spec for spec in listed_specs().values() if spec.family == "mask2former"]

    assert {spec.builder for spec in specs} == set(KINDS)
    assert all(spec.license.is_restricted for spec in specs)
    load = family_of(specs[0]).loaders[Detector]
    with pytest.raises(OperatorError, match="instance, panoptic, semantic"):
        load(replace(specs[0], builder="other"), folder, ModelIdentity("it", "", "cpu", "float32"))


@EVERY_KIND
def test_reduced_precision_runs(folder: Path, kind: str) -> None:
    spec = replace(listed_specs()[LIKE[kind]], labels=NAMES)
    identity = ModelIdentity("it", "", "cpu", "bfloat16")

    model = family_of(spec).loaders[Detector](spec, folder, identity)

    assert isinstance(model, Detector)
    rows = model.detect([PICTURE], ALL)[0]
    assert len(rows) > 1
    assert rows.scores is not None
    assert np.isfinite(rows.scores).all()
