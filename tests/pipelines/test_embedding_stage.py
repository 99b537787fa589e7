"""Vectors of pictures and of what lies in boxes, through whole pipelines of real small models."""

import numpy as np
import pytest
from numpy.typing import NDArray
from seeded import picture
from tiny_embedders import DIMENSIONS, open_added, save_dino

from vision.domain.detections import Detections
from vision.domain.findings import Findings
from vision.domain.image import RgbImage
from vision.models.base import Embedder
from vision.models.pool import ModelPool
from vision.pipelines.boxes import cut_out
from vision.pipelines.crops import CROPS_AT_ONCE, PIXELS_AT_ONCE, crops_in_groups
from vision.pipelines.document import parse_pipeline
from vision.pipelines.image import ImagePipeline
from vision.pipelines.image_stages import EmbedRun
from vision.pipelines.stages import EmbedStage

IMAGES = [picture(96, 128, seed=1), picture(1, 1), picture(64, 40, seed=2)]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    place = tmp_path_factory.mktemp("models")
    return open_added(place, save_dino(place / "theirs", "dinov2_small"), "dinov2_small")


def of_boxes(
    pool: ModelPool, images: list[RgbImage], boxes: list[list[list[float]]]
) -> list[NDArray[np.float32]]:
    """The stage's vectors for boxes that a detector might have found."""
    stage = EmbedRun(EmbedStage(model="mine", of="detections"), pool)
    found = [Findings(rows(some)) for some in boxes]
    vectors = [one.detections.embeddings for one in stage.run(images, found)]
    assert all(some is not None for some in vectors)
    return vectors  # type: ignore[return-value]


def rows(boxes: list[list[float]]) -> Detections:
    count = len(boxes)
    return Detections(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=("thing",) * count,
        class_ids=np.ones(count, np.int64),
        scores=np.ones(count, np.float32),
    )


def test_each_picture_has_the_models_vector(pool: ModelPool) -> None:
    pipeline = ImagePipeline(parse_pipeline({"embed": {"model": "mine"}}), pool)

    found = pipeline.run(IMAGES)

    vectors = np.stack([one.embedding for one in found if one.embedding is not None])
    np.testing.assert_allclose(vectors, pool.get("mine", Embedder).embed(IMAGES), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-6)
    assert pipeline.provenance.stages[0].parameters == {"of": "image"}


def test_each_detection_has_the_vector_of_what_lies_in_its_box(pool: ModelPool) -> None:
    document = {
        "detect": {"model": "demo_maskrcnn", "min_score": 0.01},
        "embed": {"model": "mine", "of": "detections"},
    }

    found = ImagePipeline(parse_pipeline(document), pool).run(IMAGES)

    assert sum(len(one.detections) for one in found) > 2
    for image, one in zip(IMAGES, found, strict=True):
        vectors = one.detections.embeddings
        assert vectors is not None
        assert vectors.shape == (len(one.detections), DIMENSIONS)
        assert one.embedding is None
        crops = [cut_out(image, box) for box in one.detections.boxes]
        np.testing.assert_allclose(vectors, pool.get("mine", Embedder).embed(crops), atol=2e-6)


def test_boxes_of_a_pixel_or_less_have_vectors(pool: ModelPool) -> None:
    tiny = [
        [5, 5, 6, 6],
        [5.2, 5.2, 5.3, 5.3],
        [127.5, 95.5, 128, 96],
        [0, 0, 128, 1],
        [7, 0, 8, 96],
    ]

    (vectors,) = of_boxes(pool, [IMAGES[0]], [tiny])

    assert vectors.shape == (5, DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=2e-6)


def test_pictures_without_boxes_have_none_and_keep_their_place(pool: ModelPool) -> None:
    first, nothing, last = of_boxes(
        pool, IMAGES, [[[0, 0, 50, 50], [9, 9, 70, 40]], [], [[0, 0, 40, 64]]]
    )

    assert nothing.shape == (0, DIMENSIONS)
    alone = of_boxes(pool, [IMAGES[0]], [[[0, 0, 50, 50], [9, 9, 70, 40]]])[0]
    np.testing.assert_allclose(first, alone, atol=2e-6)
    whole = pool.get("mine", Embedder).embed([IMAGES[2]])
    np.testing.assert_allclose(last, whole, atol=2e-6)


def test_no_pictures_at_all(pool: ModelPool) -> None:
    assert of_boxes(pool, [], []) == []
    assert EmbedRun(EmbedStage(model="mine"), pool).run([], []) == []


def test_many_crops_come_in_bounded_groups() -> None:
    small = np.tile(np.array([0, 0, 3, 2], np.float32), (CROPS_AT_ONCE + 5, 1))

    groups = list(crops_in_groups([IMAGES[0], IMAGES[2]], [small, small]))

    assert [len(group) for group in groups] == [CROPS_AT_ONCE, CROPS_AT_ONCE, 10]
    np.testing.assert_array_equal(groups[-1][-1], IMAGES[2][:2, :3])


def test_large_crops_come_in_smaller_groups() -> None:
    large = np.zeros((4096, 4096, 3), np.uint8)
    boxes = np.array([[0, 0, 4096, 1024]] * 6 + [[0, 0, 4096, 4096]] * 2, np.float32)

    groups = list(crops_in_groups([large], [boxes]))

    pixels = [sum(crop.shape[0] * crop.shape[1] for crop in group) for group in groups]
    assert [len(group) for group in groups] == [4, 2, 1, 1]
    assert max(pixels) <= PIXELS_AT_ONCE
