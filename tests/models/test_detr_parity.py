"""DETR through the catalogue and a pipeline, against transformers called directly on its folder."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from own_models import own_model, pool_of
from seeded import picture
from tiny_queries import NAMES, detr_config, save_detr, save_detr_panoptic
from transformers import DetrForObjectDetection, DetrForSegmentation, DetrImageProcessor

from vision.domain.detections import Detections
from vision.domain.image import RgbImage
from vision.domain.mask import RleMask
from vision.errors import WeightsMismatch
from vision.models.adding import add_model
from vision.models.base import DetectOptions, Detector, ModelIdentity
from vision.models.catalogue import listed_specs
from vision.models.families import family_of
from vision.pipelines.document import parse_pipeline
from vision.pipelines.image import ImagePipeline

PICTURE = picture(90, 130, seed=3)
PICTURES = [PICTURE, picture(120, 77, seed=5), PICTURE, picture(3, 40), picture(1, 1)]
LIKE = {
    "boxes": "detr_resnet_50",
    "timm": "detr_resnet_101",
    "panoptic": "detr_resnet_50_panoptic",
}
ALL = DetectOptions(min_score=0.0, max_detections=1000)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("detr")
    timm = detr_config(backbone_config=None, backbone="test_resnet", use_timm_backbone=True)
    return {
        "boxes": save_detr(root / "boxes"),
        "timm": save_detr(root / "timm", timm),
        "panoptic": save_detr_panoptic(root / "panoptic"),
    }


@pytest.fixture(scope="module")
def models_dir(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name, saved in folders.items():
        own_model(folder, saved, name=name, like=LIKE[name])
    return folder


def found(models_dir: Path, name: str, image: RgbImage, **stage: object) -> Detections:
    """By a pipeline document, as a user's own model."""
    document = parse_pipeline({"detect": {"model": name, **stage}})
    return ImagePipeline(document, pool_of(models_dir)).run([image])[0].detections


def upstream_inputs(folder: Path, image: RgbImage) -> dict[str, torch.Tensor]:
    processor = DetrImageProcessor.from_pretrained(folder)
    return dict(
        processor(images=[image.copy()], input_data_format="channels_last", return_tensors="pt")
    )


@pytest.mark.parametrize("name", ["boxes", "timm"])
@pytest.mark.parametrize("min_score", [0.0, 0.5])
def test_boxes_are_upstreams(
    folders: dict[str, Path], models_dir: Path, name: str, min_score: float
) -> None:
    network = DetrForObjectDetection.from_pretrained(folders[name]).eval()
    with torch.no_grad():
        outputs = network(**upstream_inputs(folders[name], PICTURE))
    processor = DetrImageProcessor.from_pretrained(folders[name])
    answer = processor.post_process_object_detection(
        outputs, threshold=min_score, target_sizes=[(90, 130)]
    )[0]
    order = torch.argsort(-answer["scores"], stable=True)
    order = order[answer["labels"][order] != 0]

    rows = found(models_dir, name, PICTURE, min_score=min_score)

    assert len(rows) == len(order) > 5
    np.testing.assert_array_equal(rows.scores, answer["scores"][order])
    np.testing.assert_array_equal(rows.class_ids, answer["labels"][order])
    np.testing.assert_array_equal(
        rows.boxes, np.clip(answer["boxes"][order].numpy(), 0, [130, 90, 130, 90])
    )
    assert rows.labels == tuple(NAMES[class_id] for class_id in rows.class_ids)
    assert rows.masks is None


@pytest.mark.parametrize("min_score", [0.0, 0.4])
def test_panoptic_segments_are_upstreams(
    folders: dict[str, Path], models_dir: Path, min_score: float
) -> None:
    network = DetrForSegmentation.from_pretrained(folders["panoptic"]).eval()
    with torch.no_grad():
        outputs = network(**upstream_inputs(folders["panoptic"], PICTURE))
    processor = DetrImageProcessor.from_pretrained(folders["panoptic"])
    answer = processor.post_process_panoptic_segmentation(
        outputs, threshold=min_score, target_sizes=[(90, 130)], label_ids_to_fuse=set()
    )[0]
    segments = sorted(answer["segments_info"], key=lambda one: -one["score"])
    segments = [one for one in segments if one["label_id"] != 0]

    rows = found(models_dir, "panoptic", PICTURE, min_score=min_score)

    assert len(rows) == len(segments) > 2
    assert rows.masks is not None
    for row, segment in zip(rows, segments, strict=True):
        assert row.class_id == segment["label_id"]
        assert row.score == pytest.approx(segment["score"], abs=1e-6)  # upstream rounds
        assert row.mask == RleMask.from_bitmap((answer["segmentation"] == segment["id"]).numpy())


def test_boxes_of_regions_are_tight(models_dir: Path) -> None:
    rows = found(models_dir, "panoptic", PICTURE, min_score=0.0)

    for row in rows:
        assert row.mask is not None
        ys, xs = np.nonzero(row.mask.bitmap())
        assert row.box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


@pytest.mark.parametrize("name", ["boxes", "panoptic"])
def test_a_picture_gives_the_same_in_any_company(models_dir: Path, name: str) -> None:
    detector = pool_of(models_dir).get(name, Detector)

    together = detector.detect(PICTURES, ALL)
    alone = [detector.detect([image], ALL)[0] for image in PICTURES]

    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)
        assert one.masks == other.masks


@pytest.mark.parametrize("name", ["boxes", "panoptic"])
def test_limits_are_kept(models_dir: Path, name: str) -> None:
    detector = pool_of(models_dir).get(name, Detector)
    every = detector.detect([PICTURE], ALL)[0]
    third = every.labels[2]

    some = detector.detect([PICTURE], DetectOptions(0.0, frozenset({third}), 2))[0]

    wanted = np.array([label == third for label in every.labels])
    assert every.scores is not None
    assert (np.diff(every.scores) <= 0).all()
    assert "N/A" not in every.labels
    np.testing.assert_array_equal(some.boxes, every.select(wanted).boxes[:2])


def test_slivers_have_nothing(models_dir: Path) -> None:
    detector = pool_of(models_dir).get("boxes", Detector)

    rows = detector.detect([picture(1, 5000), picture(5000, 1), PICTURE], ALL)

    assert [len(one) > 0 for one in rows] == [False, False, True]


def test_labels_come_from_the_folder(models_dir: Path) -> None:
    assert pool_of(models_dir).catalogue["boxes"].reportable_labels == NAMES[1:]


def test_a_folder_without_a_mask_head_is_no_panoptic_model(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(WeightsMismatch, match="DetrForSegmentation"):
        add_model(tmp_path, "it", like="detr_resnet_50_panoptic", file=folders["boxes"])


def test_as_many_labels_as_classes_are_needed(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="6 classes apart, and there are 2 labels"):
        add_model(tmp_path, "it", like="detr_resnet_50", file=folders["boxes"], labels=("a", "b"))


def test_a_folder_as_published_years_ago_gives_the_same(
    folders: dict[str, Path], models_dir: Path, tmp_path: Path
) -> None:
    """With a timm backbone by name, which asks for weights of its own, and an old processor."""
    folder = shutil.copytree(folders["timm"], tmp_path / "old")
    config = json.loads((folder / "config.json").read_text())
    del config["backbone_config"]
    old = {"backbone": "test_resnet", "use_timm_backbone": True, "use_pretrained_backbone": True}
    (folder / "config.json").write_text(json.dumps(config | old))
    edges = {"size": 64, "max_size": 96, "feature_extractor_type": "DetrFeatureExtractor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(edges))

    own_model(tmp_path / "models", folder, like=LIKE["timm"])

    rows = found(tmp_path / "models", "own", PICTURE, min_score=0.0)
    expected = found(models_dir, "timm", PICTURE, min_score=0.0)
    np.testing.assert_array_equal(rows.boxes, expected.boxes)
    np.testing.assert_array_equal(rows.scores, expected.scores)


@pytest.mark.parametrize("name", ["boxes", "panoptic"])
def test_reduced_precision_stays_close(folders: dict[str, Path], name: str) -> None:
    spec = replace(listed_specs()[LIKE[name]], labels=NAMES)
    load = family_of(spec).loaders[Detector]
    exact, reduced = (
        load(spec, folders[name], ModelIdentity("it", "", "cpu", precision))
        for precision in ("float32", "bfloat16")
    )
    assert isinstance(exact, Detector)
    assert isinstance(reduced, Detector)

    expected, rows = (model.detect([PICTURE], ALL)[0] for model in (exact, reduced))

    assert len(rows) > 2
    assert rows.scores is not None
    assert expected.scores is not None
    assert abs(float(rows.scores[0]) - float(expected.scores[0])) < 0.1
