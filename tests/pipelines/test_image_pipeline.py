"""Whole pipelines on real networks with seeded random weights, added as a user's own models."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from counted_encoder import CountedEncoder
from own_models import pool_of
from safetensors.torch import load_file, save_file
from seeded import picture
from segment_anything import SamPredictor

from vision import __version__
from vision.domain.detections import ANY_OBJECT, Detections
from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.domain.provenance import Provenance
from vision.domain.video import Chunk, Frame
from vision.errors import WeightsMissing
from vision.models.adding import add_model
from vision.models.base import IMAGES_PER_ENCODE, PromptSegmenter
from vision.models.checksums import file_sha256
from vision.models.demo_networks import build_demo_maskrcnn, build_demo_sam
from vision.models.pool import ModelPool
from vision.pipelines.document import parse_pipeline
from vision.pipelines.image import ImagePipeline
from vision.pipelines.image_stages import SegmentBoxesRun
from vision.pipelines.stages import SegmentStage

IMAGES = [picture(120, 160, seed=seed) for seed in (1, 2)]
DETECT = {"model": "finder", "min_score": 0.1, "max_detections": 4}
LENIENT = {"pred_iou_thresh": 0, "stability_score_thresh": 0, "box_nms_thresh": 1}


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(11)
    save_file(build_demo_maskrcnn(4).state_dict(), folder / "d.safetensors")
    save_file(build_demo_sam().state_dict(), folder / "s.safetensors")
    file, labels = folder / "d.safetensors", ("a", "b", "c")
    add_model(folder, "finder", like="demo_maskrcnn", file=file, labels=labels)
    add_model(folder, "cutter", like="demo_sam", file=folder / "s.safetensors")
    return folder


@pytest.fixture(scope="module")
def pool(models_dir: Path) -> ModelPool:
    return pool_of(models_dir)


@pytest.fixture
def remembering_pool(models_dir: Path) -> ModelPool:
    """With a store of embeddings."""
    return pool_of(models_dir, embedding_memory_bytes=2**26)


def pipeline(pool: ModelPool, **stages: object) -> ImagePipeline:
    return ImagePipeline(parse_pipeline(stages), pool)


def detections(running: ImagePipeline, images: list[RgbImage]) -> list[Detections]:
    return [found.detections for found in running.run(images)]


def test_detect_gives_one_result_per_image_in_order(pool: ModelPool) -> None:
    detecting = pipeline(pool, detect=DETECT)

    together = detections(detecting, IMAGES)
    alone = [detections(detecting, [image])[0] for image in IMAGES]

    assert [len(found) for found in together] == [4, 4]
    for found, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(found.boxes, expected.boxes)
        assert found.masks == expected.masks
    assert not np.array_equal(together[0].boxes, together[1].boxes)


def test_segmenting_boxes_keeps_what_the_detector_said(pool: ModelPool) -> None:
    detected = detections(pipeline(pool, detect=DETECT), IMAGES)

    found = detections(pipeline(pool, detect=DETECT, segment={"model": "cutter"}), IMAGES)

    for rows, before in zip(found, detected, strict=True):
        np.testing.assert_array_equal(rows.boxes, before.boxes)
        np.testing.assert_array_equal(rows.scores, before.scores)
        assert rows.labels == before.labels
        assert rows.masks is not None
        assert rows.masks != before.masks
        assert rows.predicted_iou is not None


def test_boxes_are_cut_out_as_the_predictor_would(pool: ModelPool, models_dir: Path) -> None:
    found = detections(pipeline(pool, detect=DETECT, segment={"model": "cutter"}), IMAGES[:1])[0]
    sam = build_demo_sam().eval()
    sam.load_state_dict(load_file(models_dir / "s.safetensors"))
    predictor = SamPredictor(sam)
    predictor.set_image(IMAGES[0])

    assert found.masks is not None
    for mask, box in zip(found.masks, found.boxes, strict=True):
        expected = predictor.predict(box=box, multimask_output=False)[0][0]
        assert (mask.bitmap() ^ expected).sum() <= 0.001 * expected.size


def test_nothing_detected_means_nothing_cut_out(pool: ModelPool) -> None:
    detect = {**DETECT, "min_score": 1.0}

    found = detections(pipeline(pool, detect=detect, segment={"model": "cutter"}), IMAGES)

    assert [len(rows) for rows in found] == [0, 0]
    assert found[0].masks == ()


POINTED_AT = {"model": "cutter", "prompt": {"points": [[80, 60, 1]]}}
EVERYTHING = {"model": "cutter", "prompt": "everything", "points_per_side": 2, **LENIENT}
each_prompt = pytest.mark.parametrize(
    "stages",
    [
        {"detect": DETECT, "segment": {"model": "cutter"}},
        {"segment": POINTED_AT},
        {"segment": EVERYTHING},
    ],
    ids=["boxes", "points", "everything"],
)


def with_boxes(count: int) -> Findings:
    edges = np.arange(count, dtype=np.float32) * 10
    return Findings(
        Detections(
            boxes=np.stack([edges, edges, edges + 40, edges + 30], axis=1),
            labels=("a",) * count,
            class_ids=np.ones(count, np.int64),
            scores=np.ones(count, np.float32),
        )
    )


def test_of_many_images_those_with_boxes_are_encoded(pool: ModelPool) -> None:
    images = [picture(120, 160, seed=seed) for seed in range(IMAGES_PER_ENCODE + 4)]
    found = [with_boxes(seed % 4) for seed in range(len(images))]
    cutting = SegmentBoxesRun(SegmentStage(model="cutter"), pool)
    encoder = CountedEncoder(cutting.model)

    together = cutting.run(images, found)

    assert encoder.images == sum(len(one.detections) > 0 for one in found) > IMAGES_PER_ENCODE
    for image, given, cut in zip(images, found, together, strict=True):
        (alone,) = cutting.run([image], [given])
        assert cut.detections.masks == alone.detections.masks
        assert len(cut.detections.masks or ()) == len(given.detections)
        np.testing.assert_array_equal(cut.detections.boxes, given.detections.boxes)


@each_prompt
def test_frames_dont_drive_images_out_of_the_store(
    remembering_pool: ModelPool, stages: dict[str, object]
) -> None:
    segmenter = remembering_pool.get("cutter", PromptSegmenter)
    encoder = CountedEncoder(segmenter)
    running = pipeline(remembering_pool, **stages)
    (as_image,) = detections(running, IMAGES[:1])
    frames = [Frame(image, index, index / 10) for index, image in enumerate(IMAGES)]
    kept, seen = segmenter.embeddings.memory_bytes, encoder.images
    chunk = Chunk(1, 0, None, 0, Fraction(1, 10), 10, 1.0, None)

    found = running.open_frames(chunk).run(frames)

    assert found[0].detections.masks == as_image.masks
    assert encoder.images == seen + len(frames)
    assert segmenter.embeddings.memory_bytes == kept


def test_what_is_pointed_at_comes_points_first(pool: ModelPool) -> None:
    prompt = {"points": [[80, 60, 1]], "boxes": [[0, 0, 40, 40], [20, 20, 90, 90]]}

    found = detections(pipeline(pool, segment={"model": "cutter", "prompt": prompt}), IMAGES)

    for rows in found:
        assert rows.labels == (ANY_OBJECT,) * 3
        assert rows.scores is None
        assert rows.masks is not None
        assert rows.predicted_iou is not None


def test_everything_takes_its_parameters(pool: ModelPool) -> None:
    segment = {"model": "cutter", "prompt": "everything", "points_per_side": 2, **LENIENT}

    found = detections(pipeline(pool, segment=segment), IMAGES)

    assert [len(rows) for rows in found] == [12, 12]
    assert found[0].stability_scores is not None


def test_no_images_give_no_results(pool: ModelPool) -> None:
    assert pipeline(pool, detect=DETECT, segment={"model": "cutter"}).run([]) == []


def test_missing_weights_are_told_before_any_image(pool: ModelPool) -> None:
    with pytest.raises(WeightsMissing, match="vision models pull sam_vit_b"):
        pipeline(pool, segment={"model": "sam_vit_b", "prompt": "everything"})


def test_provenance_names_models_hashes_and_every_parameter(
    pool: ModelPool, models_dir: Path
) -> None:
    provenance = pipeline(pool, detect=DETECT, segment={"model": "cutter"}).provenance

    detect, segment = provenance.stages
    assert (detect.stage, detect.model) == ("detect", "finder")
    assert detect.weights_sha256 == file_sha256(models_dir / "d.safetensors")
    assert detect.parameters == {"min_score": 0.1, "labels": None, "max_detections": 4}
    assert (segment.stage, segment.model) == ("segment", "cutter")
    assert segment.weights_sha256 == file_sha256(models_dir / "s.safetensors")
    assert segment.parameters == {"prompt": "boxes"}
    assert provenance.code_version == __version__
    assert (provenance.device, provenance.precision) == ("cpu", "float32")


def test_provenance_of_everything_has_the_models_defaults_filled_in(pool: ModelPool) -> None:
    segment = {"model": "cutter", "prompt": "everything", "crop_n_layers": 1}
    provenance = pipeline(pool, segment=segment).provenance
    defaults = pool.catalogue["cutter"].everything_defaults

    parameters = provenance.stages[0].parameters

    assert parameters["crop_n_layers"] == 1
    assert parameters["box_nms_thresh"] == 0.7
    for name, value in defaults.items():
        assert parameters[name] == value


@pytest.mark.parametrize(
    "stages",
    [
        {"detect": {**DETECT, "labels": ["b", "a"]}},
        {"segment": {"model": "cutter", "prompt": {"points": [[1, 2, 1]]}}},
        {"segment": {"model": "cutter", "prompt": "everything"}},
    ],
    ids=["labels", "points", "everything"],
)
def test_provenance_can_be_stored_and_compared(pool: ModelPool, stages: dict[str, object]) -> None:
    first: Provenance = pipeline(pool, **stages).provenance
    second = pipeline(pool, **stages).provenance

    assert first.digest == second.digest
    assert first.to_json()["stages"]
