"""The pictures of the first run, and their truth."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from pycocotools import mask as run_lengths

from samples.render import FOLDER, SAMPLES, TRUTH_NAME, write_samples

MOST_BYTES = 1_500_000
JPEG_DIFFERENCE = 12.0
"""Mean absolute difference of pixels that JPEG and another JPEG library may make."""


@pytest.fixture(scope="module")
def truth():
    return json.loads((FOLDER / TRUTH_NAME).read_text(encoding="utf-8"))


def test_the_folder_holds_the_listed_pictures_and_is_small():
    files = sorted(path.name for path in FOLDER.iterdir())

    assert files == sorted([TRUTH_NAME, *(sample.file_name for sample in SAMPLES)])
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MOST_BYTES


def test_sizes_in_the_truth_are_those_of_the_upright_pictures(truth):
    for image in truth["images"]:
        with Image.open(FOLDER / image["file_name"]) as picture:
            assert ImageOps.exif_transpose(picture).size == (image["width"], image["height"])


def test_one_picture_is_stored_turned():
    with Image.open(FOLDER / SAMPLES[-1].file_name) as picture:
        assert picture.size == (SAMPLES[-1].height, SAMPLES[-1].width)
        assert ImageOps.exif_transpose(picture).size == (SAMPLES[-1].width, SAMPLES[-1].height)


def test_boxes_and_areas_agree_with_the_masks(truth):
    for annotation in truth["annotations"]:
        segmentation = annotation["segmentation"]

        assert run_lengths.toBbox(segmentation).tolist() == annotation["bbox"]
        assert int(run_lengths.area(segmentation)) == annotation["area"]


def test_every_annotation_belongs_to_a_picture_and_a_category(truth):
    images = {image["id"]: (image["height"], image["width"]) for image in truth["images"]}
    categories = {category["id"] for category in truth["categories"]}

    for annotation in truth["annotations"]:
        assert tuple(annotation["segmentation"]["size"]) == images[annotation["image_id"]]
        assert annotation["category_id"] in categories


def test_rendering_again_gives_the_same_truth_and_the_same_pictures(tmp_path: Path, truth):
    write_samples(tmp_path)

    assert json.loads((tmp_path / TRUTH_NAME).read_text(encoding="utf-8")) == truth
    for sample in SAMPLES:
        with (
            Image.open(tmp_path / sample.file_name) as new,
            Image.open(FOLDER / sample.file_name) as shipped,
        ):
            difference = np.abs(np.asarray(new, np.int16) - np.asarray(shipped, np.int16))
        assert difference.mean() < JPEG_DIFFERENCE
