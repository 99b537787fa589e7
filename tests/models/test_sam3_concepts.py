"""Words and examples of SAM 3 and SAM3-LiteText: ours against upstream's classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from loaded_sams import NAMED, listed_like, load_tiny, tiny_folder
from numpy.typing import NDArray
from own_models import own_model, pool_of
from PIL import Image
from seeded import picture
from transformers import Sam3LiteTextModel, Sam3Model, Sam3Processor

from vision.domain.concept import Concepts
from vision.domain.detections import ANY_OBJECT, Detections
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.errors import InvalidRequest, LicenseNotAccepted
from vision.models import transformers_concepts
from vision.models.adding import add_model
from vision.models.base import ConceptOptions, ConceptSegmenter, PromptSegmenter
from vision.models.pool import ModelPool
from vision.pipelines.document import parse_pipeline
from vision.pipelines.image import ImagePipeline

NETWORKS: Mapping[str, Any] = {"sam3": Sam3Model, "sam3_litetext": Sam3LiteTextModel}
PICTURES = [picture(90, 160, seed=3), picture(300, 200, seed=4)]
each_picture = pytest.mark.parametrize("image", PICTURES, ids=["wide", "high"])
EXAMPLES = np.array([[10, 10, 60.5, 70, 1], [90, 20, 150, 80, 0]], np.float32)
EVERY_ROW = ConceptOptions(min_score=0.0)
QUERIES = 12
"""Of the tiny networks."""


@dataclass(frozen=True)
class Rows:
    """Upstream's answer, highest score first, boxes inside the picture."""

    scores: NDArray[np.float32]
    boxes: NDArray[np.float32]
    masks: tuple[RleMask, ...]


class Upstream:
    """One family's network and processor, used as their documentation does."""

    def __init__(self, family: str) -> None:
        self._network = NETWORKS[family].from_pretrained(tiny_folder(family)).eval()
        self._processor = Sam3Processor.from_pretrained(tiny_folder(family))

    def rows(self, image: RgbImage, *, threshold: float = 0.0, **prompt: Any) -> Rows:
        inputs = self._processor(images=Image.fromarray(image), return_tensors="pt", **prompt)
        with torch.inference_mode():
            answer = self._network(**inputs)
        (found,) = self._processor.post_process_instance_segmentation(
            answer, threshold=threshold, target_sizes=inputs["original_sizes"].tolist()
        )
        order = found["scores"].argsort(descending=True)
        height, width = image.shape[:2]
        return Rows(
            found["scores"][order].numpy(),
            found["boxes"][order].numpy().clip(0, [width, height] * 2),
            RleMask.from_bitmaps(found["masks"][order].bool().numpy()),
        )


@pytest.fixture(scope="module", params=NAMED)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def upstream(family: str) -> Upstream:
    return Upstream(family)


@pytest.fixture(scope="module")
def pool(family: str, tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    """The family's tiny network as a user's own model, named `own`."""
    place = tmp_path_factory.mktemp("models")
    return own_model(place, tiny_folder(family), like=listed_like(family).name)


@pytest.fixture
def segmenter(pool: ModelPool) -> ConceptSegmenter:
    return pool.get("own", ConceptSegmenter)


def assert_equal(found: Detections, expected: Rows) -> None:
    """Bit for bit."""
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    assert found.masks == expected.masks


@each_picture
def test_a_word_gives_what_upstream_gives(
    segmenter: ConceptSegmenter, upstream: Upstream, image: RgbImage
) -> None:
    expected = upstream.rows(image, text="red car")

    found = segmenter.find(image, Concepts.named("red car"), EVERY_ROW)

    assert len(found) == QUERIES
    assert len(set(expected.masks)) > 1
    assert_equal(found, expected)
    assert set(found.labels) == {"red car"}
    assert found.predicted_iou is None


@each_picture
def test_examples_alone_give_what_upstream_gives(
    segmenter: ConceptSegmenter, upstream: Upstream, image: RgbImage
) -> None:
    boxes, labels = [EXAMPLES[:, :4].tolist()], [[1, 0]]
    expected = upstream.rows(image, input_boxes=boxes, input_boxes_labels=labels)

    found = segmenter.find(image, Concepts((), EXAMPLES), EVERY_ROW)

    assert_equal(found, expected)
    assert set(found.labels) == {ANY_OBJECT}
    assert set(found.class_ids.tolist()) == {0}


def test_a_word_with_examples_gives_what_upstream_gives(
    segmenter: ConceptSegmenter, upstream: Upstream
) -> None:
    boxes, labels = [EXAMPLES[:, :4].tolist()], [[1, 0]]
    expected = upstream.rows(PICTURES[0], text="cone", input_boxes=boxes, input_boxes_labels=labels)
    other = upstream.rows(PICTURES[0], text="cone")

    found = segmenter.find(PICTURES[0], Concepts(("cone",), EXAMPLES), EVERY_ROW)

    assert_equal(found, expected)
    assert set(found.labels) == {"cone"}
    assert not np.array_equal(expected.scores, other.scores)


def test_words_share_one_look_at_the_picture_and_rows_are_sorted_together(
    segmenter: ConceptSegmenter, upstream: Upstream
) -> None:
    words = ("dog", "red car", "cone")
    alone = [upstream.rows(PICTURES[0], text=word) for word in words]

    found = segmenter.find(PICTURES[0], Concepts.named(*words), EVERY_ROW)

    assert len(found) == 3 * QUERIES
    assert found.scores is not None
    assert (np.diff(found.scores) <= 0).all()
    assert found.labels == tuple(words[class_id] for class_id in found.class_ids)
    for class_id, expected in enumerate(alone):
        assert_equal(found.select(found.class_ids == class_id), expected)


def test_the_least_score_and_the_most_rows_are_kept_to(
    segmenter: ConceptSegmenter, upstream: Upstream
) -> None:
    concepts = Concepts.named("dog", "cone")
    every = segmenter.find(PICTURES[0], concepts, EVERY_ROW)
    assert every.scores is not None
    middle = float(every.scores[9])

    by_score = segmenter.find(PICTURES[0], concepts, ConceptOptions(min_score=middle))
    best = segmenter.find(PICTURES[0], concepts, ConceptOptions(0.0, max_detections=5))
    nothing = segmenter.find(PICTURES[0], concepts, ConceptOptions(min_score=1.0))

    assert every.masks is not None
    assert by_score.masks == every.masks[:10]
    assert best.masks == every.masks[:5]
    assert len(nothing) == 0
    assert nothing.scores is not None
    assert nothing.masks == ()


def test_masks_are_made_a_few_at_a_time(
    segmenter: ConceptSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    concepts = Concepts.named("dog", "cone")
    together = segmenter.find(PICTURES[0], concepts, EVERY_ROW)
    monkeypatch.setattr(transformers_concepts, "VALUES_AT_ONCE", 5 * PICTURES[0].size // 3)

    some = segmenter.find(PICTURES[0], concepts, EVERY_ROW)

    assert some.masks == together.masks
    np.testing.assert_array_equal(some.boxes, together.boxes)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (3, 200), (200, 1), (1, 3000)], ids=lambda side: str(side)
)
def test_every_size_of_picture_is_taken(
    segmenter: ConceptSegmenter, height: int, width: int
) -> None:
    example = np.array([[0, 0, width, height, 1]], np.float32)

    found = segmenter.find(picture(height, width), Concepts(("dog",), example), EVERY_ROW)

    assert len(found) == QUERIES
    assert found.masks is not None
    assert all(mask.size == ImageSize(width=width, height=height) for mask in found.masks)
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [width, height] * 2).all()


def test_the_same_is_said_twice(segmenter: ConceptSegmenter) -> None:
    first, second = (
        segmenter.find(PICTURES[0], Concepts.named("dog"), EVERY_ROW) for _ in range(2)
    )

    np.testing.assert_array_equal(first.scores, second.scores)
    assert first.masks == second.masks


def test_words_that_are_too_long_are_refused_with_both_numbers(
    segmenter: ConceptSegmenter,
) -> None:
    segmenter.find(PICTURES[0], Concepts.named("a" * 30), EVERY_ROW)

    with pytest.raises(InvalidRequest, match="is 31 tokens; own takes 30"):
        segmenter.find(PICTURES[0], Concepts.named("dog", "a" * 31), EVERY_ROW)


def test_bfloat16_is_for_the_image_encoder_only(family: str) -> None:
    exact, rounded = (
        load_tiny(family, ConceptSegmenter, precision=precision).find(
            PICTURES[0], Concepts.named("dog"), EVERY_ROW
        )
        for precision in ("float32", "bfloat16")
    )

    assert not np.array_equal(rounded.scores, exact.scores)
    np.testing.assert_allclose(rounded.scores, exact.scores, rtol=0, atol=0.02)


def test_a_pipeline_finds_what_upstream_finds(pool: ModelPool, upstream: Upstream) -> None:
    prompt = {"text": ["red car"], "examples": EXAMPLES[:1].tolist(), "min_score": 0.05}
    document = parse_pipeline({"segment": {"model": "own", "prompt": prompt}})
    expected = upstream.rows(
        PICTURES[0],
        threshold=0.05,
        text="red car",
        input_boxes=[EXAMPLES[:1, :4].tolist()],
        input_boxes_labels=[[1]],
    )

    (found,) = ImagePipeline(document, pool).run([PICTURES[0]])

    assert len(found.detections) > 0
    assert_equal(found.detections, expected)


def test_one_folder_serves_words_and_clicks(pool: ModelPool, family: str) -> None:
    by_words = pool.get("own", ConceptSegmenter)

    if family == "sam3":
        assert pool.get("own", PromptSegmenter).identity == by_words.identity
    else:
        with pytest.raises(InvalidRequest, match="own doesn't segment what is pointed at"):
            pool.get("own", PromptSegmenter)


def test_nobody_runs_it_before_its_licence_was_accepted(
    family: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    models_dir = tmp_path_factory.mktemp("models")
    like = listed_like(family)
    add_model(models_dir, "own", like=like.name, file=tiny_folder(family))

    with pytest.raises(LicenseNotAccepted, match=f"vision models accept {like.name}"):
        pool_of(models_dir).get("own", ConceptSegmenter)
