"""How the demo judges what was found."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as run_lengths

from samples.demo_truth import Truth, read_truth

SIDE = 100


def rectangle(x: int, y: int, width: int, height: int) -> dict[str, Any]:
    pixels = np.zeros((SIDE, SIDE), np.uint8, order="F")
    pixels[y : y + height, x : x + width] = 1
    encoded = run_lengths.encode(pixels)
    return {"size": [SIDE, SIDE], "counts": encoded["counts"].decode()}


def found(
    label: str, x: int, y: int, width: int, height: int, score: float = 0.9
) -> dict[str, Any]:
    box = [x, y, x + width, y + height]
    return {"label": label, "score": score, "box": box, "mask": rectangle(x, y, width, height)}


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    """A car, a dog behind something, and an empty picture."""
    annotations = [
        {"image_id": 1, "category_id": 1, "bbox": [10, 10, 40, 20], "iscrowd": 0},
        {"image_id": 1, "category_id": 2, "bbox": [60, 60, 20, 20], "iscrowd": 1},
    ]
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "empty.jpg"}],
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "dog"}],
        "annotations": [one | {"segmentation": rectangle(*one["bbox"])} for one in annotations],
    }
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(document))
    return read_truth(path)


def test_a_find_in_place_counts_with_its_mask(truth: Truth) -> None:
    comparison = truth.compared({"a.jpg": [found("car", 10, 10, 40, 10)]})

    assert (comparison.objects, comparison.others) == (1, 0)
    assert comparison.mask_ious == (0.5,)


@pytest.mark.parametrize(
    "detection",
    [
        pytest.param(found("car", 60, 10, 30, 20), id="elsewhere"),
        pytest.param(found("dog", 10, 10, 40, 20), id="other label"),
    ],
)
def test_a_find_of_something_else_is_wrong(truth: Truth, detection: dict[str, Any]) -> None:
    comparison = truth.compared({"a.jpg": [detection]})

    assert (comparison.mask_ious, comparison.others) == ((), 1)


def test_one_object_is_found_once_and_by_the_best(truth: Truth) -> None:
    worse, better = found("car", 12, 10, 38, 20, 0.6), found("car", 10, 10, 40, 20, 0.8)

    comparison = truth.compared({"a.jpg": [worse, better]})

    assert (comparison.mask_ious, comparison.others) == ((1.0,), 1)


def test_a_hidden_object_counts_neither_way(truth: Truth) -> None:
    comparison = truth.compared({"a.jpg": [found("dog", 60, 60, 20, 20)]})

    assert (comparison.objects, comparison.mask_ious, comparison.others) == (1, (), 0)


def test_finds_in_an_empty_picture_are_wrong(truth: Truth) -> None:
    assert truth.has_objects("a.jpg")
    assert not truth.has_objects("empty.jpg")
    assert truth.compared({"empty.jpg": [found("car", 0, 0, 9, 9)]}).others == 1
