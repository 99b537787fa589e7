"""Tiles cover the picture, and what they show comes together as one answer."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchvision.ops import nms

from samples.evaluation.overlap import box_ious
from samples.scenes.annotations import annotate
from samples.scenes.scene import render_scene
from vision.domain.detections import Detections
from vision.domain.image import ImageSize, RgbImage
from vision.domain.mask import RleMask
from vision.errors import MediaTooLarge
from vision.models.base import DetectOptions, Detector, ModelIdentity
from vision.models.catalogue import Catalogue
from vision.models.pool import ModelPool
from vision.models.weights import WeightsStore
from vision.pipelines.document import parse_pipeline
from vision.pipelines.image import ImagePipeline
from vision.pipelines.stages import Tiles
from vision.pipelines.tile_grid import MAX_TILES, tile_grid
from vision.pipelines.tile_merging import surviving
from vision.pipelines.tiling import detect_in_tiles

ALL = DetectOptions(min_score=0.0, max_detections=1000)
SIDE = 100
"""Of the tiles here; with an overlap of 0.3, whatever is smaller than 30 pixels is whole in one."""
TILES = Tiles(size=SIDE, overlap=0.3, whole=False)
HELD_OUT = 10_000_000
"""Scenes from this seed on were not trained on."""


class ColorDetector(Detector):
    """Finds what is red or green on black; the blue of its brightest pixel is its score."""

    labels = ("red", "green")

    def __init__(self) -> None:
        super().__init__(ModelIdentity("colors", "0" * 64, "cpu", "float32"), memory_bytes=0)
        self.shown: list[ImageSize] = []

    def _detect(self, images: Sequence[RgbImage], options: DetectOptions) -> list[Detections]:
        self.shown += [ImageSize.of(image) for image in images]
        return [self._found(image, options) for image in images]

    def _found(self, image: RgbImage, options: DetectOptions) -> Detections:
        parts = [part for color in (0, 1) for part in _parts(image, color)]
        parts.sort(key=lambda part: -part[1])
        wanted = options.labels
        kept = [p for p in parts if wanted is None or self.labels[p[0]] in wanted]
        kept = [p for p in kept if p[1] >= options.min_score][: options.max_detections]
        if not kept:
            return Detections.empty()
        boxes = np.array([_tight(bitmap) for _, _, bitmap in kept], np.float32)
        middles = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
        sevens = np.full((len(kept), 1, 1), 7, np.float32)
        return Detections(
            boxes=boxes,
            labels=tuple(self.labels[class_id] for class_id, _, _ in kept),
            class_ids=np.array([class_id for class_id, _, _ in kept], np.int64),
            scores=np.array([score for _, score, _ in kept], np.float32),
            masks=tuple(RleMask.from_bitmap(bitmap) for _, _, bitmap in kept),
            keypoints=np.concatenate([middles, sevens], axis=2),
        )


def _parts(image: RgbImage, color: int) -> list[tuple[int, float, NDArray[np.bool_]]]:
    count, numbers = cv2.connectedComponents((image[..., color] > 0).astype(np.uint8))
    bitmaps = [numbers == number for number in range(1, count)]
    return [(color, float(image[bitmap, 2].max()) / 255, bitmap) for bitmap in bitmaps]


def _tight(bitmap: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(bitmap)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def painted(size: ImageSize, *boxes: tuple[int, int, int, int], color: int = 0) -> RgbImage:
    """Boxes on black, each brighter than the one before."""
    image = np.zeros((size.height, size.width, 3), np.uint8)
    for number, (x1, y1, x2, y2) in enumerate(boxes):
        image[y1:y2, x1:x2, color] = 255
        image[y1:y2, x1:x2, 2] = 100 + number
    return image


def assert_same(found: Detections, expected: Detections) -> None:
    assert found.labels == expected.labels
    assert found.masks == expected.masks
    for name in ("boxes", "class_ids", "scores", "keypoints"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    side=st.integers(64, 300),
    overlap=st.floats(0, 0.8),
)
def test_tiles_cover_every_pixel_and_nothing_else(
    width: int, height: int, side: int, overlap: float
) -> None:
    size = ImageSize(width=width, height=height)
    covered = np.zeros((height, width), np.bool_)

    tiles = tile_grid(size, side=side, overlap=overlap)

    for tile in tiles:
        assert 0 <= tile.left < tile.right <= width
        assert 0 <= tile.top < tile.bottom <= height
        assert tile.size == ImageSize(width=min(side, width), height=min(side, height))
        covered[tile.top : tile.bottom, tile.left : tile.right] = True
    assert covered.all()
    assert len(set(tiles)) == len(tiles)


@given(length=st.integers(1, 2000), side=st.integers(64, 300), overlap=st.floats(0, 0.9))
def test_neighbours_share_the_overlap_or_more(length: int, side: int, overlap: float) -> None:
    tiles = tile_grid(ImageSize(width=length, height=5), side=side, overlap=overlap)

    shared = [one.right - next_one.left for one, next_one in pairwise(tiles)]

    assert all(pixels >= int(side * overlap) for pixels in shared)


def test_too_many_tiles_are_told_with_their_number_and_the_limit() -> None:
    with pytest.raises(MediaTooLarge, match=rf"9000x9000 pixels are \d+ tiles .* {MAX_TILES}"):
        tile_grid(ImageSize(width=9000, height=9000), side=64, overlap=0.5)


@pytest.mark.parametrize("whole", [True, False])
def test_a_picture_no_larger_than_a_tile_is_just_detected(whole: bool) -> None:
    detector, size = ColorDetector(), ImageSize(width=SIDE, height=60)
    image = painted(size, (0, 0, 20, 20), (30, 10, 100, 60))
    tiles = Tiles(size=SIDE, whole=whole)

    found = detect_in_tiles(detector, image, ALL, tiles)

    assert detector.shown == [size]
    assert_same(found, detector.detect([image], ALL)[0])


@st.composite
def pictures(draw: st.DrawFn) -> RgbImage:
    """Boxes on a grid of cells, apart from each other and smaller than what tiles share."""
    columns, rows = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    size = ImageSize(width=30 * columns + draw(st.integers(0, 29)), height=30 * rows + 7)
    cells = [(column, row) for column in range(columns) for row in range(rows)]
    chosen = draw(st.permutations(cells))[: draw(st.integers(0, 12))]
    image = np.zeros((size.height, size.width, 3), np.uint8)
    for number, (column, row) in enumerate(chosen):
        left, top = 30 * column + draw(st.integers(0, 5)), 30 * row + draw(st.integers(0, 5))
        width, height = draw(st.integers(1, 23)), draw(st.integers(1, 23))
        place = np.s_[top : top + height, left : left + width]
        image[(*place, draw(st.integers(0, 1)))] = 255
        image[(*place, 2)] = 100 + number
    return image


@settings(deadline=None)
@given(image=pictures(), whole=st.booleans())
def test_what_fits_into_the_overlap_is_found_once_at_its_place(
    image: RgbImage, whole: bool
) -> None:
    detector = ColorDetector()
    tiles = TILES.model_copy(update={"whole": whole})

    found = detect_in_tiles(detector, image, ALL, tiles)

    assert_same(found, detector.detect([image], ALL)[0])


def test_a_part_goes_when_another_tile_sees_the_thing_whole() -> None:
    # Tiles start at 0, 70 and 100. The first sees most of it, scores it as high, and comes first.
    image = painted(ImageSize(width=200, height=80), (76, 10, 104, 40))

    found = detect_in_tiles(ColorDetector(), image, ALL, TILES)

    np.testing.assert_array_equal(found.boxes, [[76, 10, 104, 40]])


def test_what_is_larger_than_a_tile_is_found_in_the_whole_picture() -> None:
    image = painted(ImageSize(width=300, height=300), (20, 20, 280, 280))

    with_whole = detect_in_tiles(ColorDetector(), image, ALL, Tiles(size=SIDE, overlap=0.3))
    without = detect_in_tiles(ColorDetector(), image, ALL, TILES)

    np.testing.assert_array_equal(with_whole.boxes, [[20, 20, 280, 280]])
    assert len(without) > 1


def test_limits_and_order_are_a_detectors() -> None:
    size = ImageSize(width=300, height=100)
    image = painted(size, (0, 0, 9, 9), (95, 0, 104, 9), (200, 50, 220, 70), (280, 80, 299, 99))
    image += painted(size, (150, 50, 160, 60), color=1)
    detector = ColorDetector()

    best = detect_in_tiles(detector, image, DetectOptions(0.0, None, 2), TILES)
    sure = detect_in_tiles(detector, image, DetectOptions(102 / 255, None, 300), TILES)
    green = detect_in_tiles(detector, image, DetectOptions(0.0, frozenset({"green"})), TILES)

    assert best.boxes.tolist() == [[280, 80, 299, 99], [200, 50, 220, 70]]
    assert sure.boxes.tolist() == best.boxes.tolist()
    assert green.labels == ("green",)


def test_an_empty_picture_has_empty_columns() -> None:
    found = detect_in_tiles(ColorDetector(), np.zeros((300, 300, 3), np.uint8), ALL, TILES)

    assert len(found) == 0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("iou_threshold", [0.0, 0.3, 0.5, 1.0])
def test_merging_is_torchvisions_nms_of_each_class(seed: int, iou_threshold: float) -> None:
    random = np.random.default_rng(seed)
    corners = random.integers(0, 60, (150, 2))
    boxes = np.hstack([corners, corners + random.integers(0, 40, (150, 2))]).astype(np.float32)
    scores = random.choice(np.linspace(0, 1, 40), 150).astype(np.float32)
    class_ids = random.integers(0, 3, 150)
    rows = Detections(boxes, ("it",) * 150, class_ids, scores)
    uncut, tiles = np.zeros(150, np.bool_), np.zeros(150, np.intp)

    kept = surviving(rows, is_cut=uncut, tiles=tiles, iou_threshold=iou_threshold)

    of_class = [torch.from_numpy(np.flatnonzero(class_ids == class_id)) for class_id in range(3)]
    expected = [
        ids[nms(torch.from_numpy(boxes)[ids], torch.from_numpy(scores)[ids], iou_threshold)]
        for ids in of_class
    ]
    assert set(kept) == set(torch.cat(expected).tolist())
    assert (np.diff(scores[kept]) <= 0).all()


@pytest.fixture(scope="module")
def pool() -> ModelPool:
    return ModelPool(
        Catalogue.load(),
        WeightsStore(Path("nothing-is-here")),
        device="cpu",
        precision="float32",
        memory_bytes=10**9,
    )


@pytest.fixture(scope="module")
def yards() -> tuple[RgbImage, NDArray[np.float32], NDArray[np.int64]]:
    """Twelve scenes side by side in one picture of 1024 by 768 pixels, with boxes and classes."""
    scenes = [render_scene(HELD_OUT + number) for number in range(12)]
    truth = [annotate(scene).wanted() for scene in scenes]
    corners = [np.array([number % 4, number // 4] * 2) * 256 for number in range(12)]
    rows = [np.hstack([scene.image for scene in scenes[start : start + 4]]) for start in (0, 4, 8)]
    boxes = [one.boxes + corner for one, corner in zip(truth, corners, strict=True)]
    class_ids = np.concatenate([one.class_ids for one in truth])
    return np.vstack(rows), np.concatenate(boxes).astype(np.float32), class_ids


def objects_found(
    rows: Detections, boxes: NDArray[np.float32], class_ids: NDArray[np.int64]
) -> int:
    """How many objects a box of their class lies on, each box on one."""
    overlaps = box_ious(rows.boxes, boxes)
    overlaps[rows.class_ids[:, None] != class_ids[None]] = 0
    found = 0
    for row in range(len(rows)):
        if overlaps[row].max() >= 0.5:
            overlaps[:, int(overlaps[row].argmax())] = 0
            found += 1
    return found


def test_small_objects_of_a_big_picture_are_found_in_tiles(
    pool: ModelPool, yards: tuple[RgbImage, NDArray[np.float32], NDArray[np.int64]]
) -> None:
    image, boxes, class_ids = yards
    stages = [{"model": "demo_maskrcnn"}, {"model": "demo_maskrcnn", "tile": {"size": 256}}]
    pipelines = [ImagePipeline(parse_pipeline({"detect": stage}), pool) for stage in stages]

    plain, tiled = (pipeline.run([image])[0].detections for pipeline in pipelines)

    assert len(boxes) == 40
    assert objects_found(plain, boxes, class_ids) == 0  # each scene is a quarter of its size
    assert objects_found(tiled, boxes, class_ids) >= 30
    assert tiled.masks is not None
    for mask, box in zip(tiled.masks, tiled.boxes, strict=True):
        assert mask.size == ImageSize.of(image)
        rows, columns = np.nonzero(mask.bitmap())
        assert np.all(box[:2] - 2 <= [columns.min(), rows.min()])
        assert np.all(box[2:] + 2 >= [columns.max(), rows.max()])


def test_provenance_says_which_tiles(pool: ModelPool) -> None:
    document = parse_pipeline({"detect": {"model": "demo_maskrcnn", "tile": {"size": 256}}})

    parameters = ImagePipeline(document, pool).provenance.stages[0].parameters

    assert parameters["tile"] == {"size": 256, "overlap": 0.2, "iou_threshold": 0.5, "whole": True}
