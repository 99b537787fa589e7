"""A user's own DETR by the command line, against transformers on the same folder and file."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from console import Workplace
from PIL import Image
from pycocotools import mask as coco
from seeded import picture
from tiny_queries import save_detr_panoptic
from transformers import DetrForSegmentation, DetrImageProcessor

PIPELINE = "detect: {model: mine, min_score: 0.2}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_detr_panoptic(tmp_path_factory.mktemp("detr") / "it")


@pytest.mark.slow  # the answer is tests/models/test_detr_parity.py's, the way that of the others
def test_panoptic_segments_of_a_file_are_upstreams(folder: Path, tmp_path: Path) -> None:
    file, pipeline = tmp_path / "picture.png", tmp_path / "mine.yaml"
    Image.fromarray(picture(90, 130, seed=3)).save(file)
    pipeline.write_text(PIPELINE)
    place = Workplace(tmp_path / "models", pipeline)

    added = place.run(
        "models", "add", "mine", "--like", "detr_resnet_50_panoptic", "--file", folder
    )
    ended = place.run("analyze", file, "-p", pipeline, "--json", cwd=tmp_path)

    assert added.code == 0, added.err
    assert ended.code == 0, ended.err
    items = json.loads(ended.out)["items"]
    processor = DetrImageProcessor.from_pretrained(folder)
    network = DetrForSegmentation.from_pretrained(folder).eval()
    with Image.open(file) as opened, torch.no_grad():
        pixels = np.array(opened.convert("RGB"))
        outputs = network(**processor(images=[pixels], return_tensors="pt"))
    answer = processor.post_process_panoptic_segmentation(
        outputs, threshold=0.2, target_sizes=[(90, 130)], label_ids_to_fuse=set()
    )[0]
    segments = [one for one in answer["segments_info"] if one["label_id"] != 0]
    segments.sort(key=lambda one: -one["score"])
    assert len(items) == len(segments) > 1
    for item, segment in zip(items, segments, strict=True):
        assert item["label"] == network.config.id2label[segment["label_id"]]
        assert item["score"] == pytest.approx(segment["score"], abs=1e-6)
        bitmap = coco.decode(item["mask"]).astype(bool)
        np.testing.assert_array_equal(bitmap, answer["segmentation"] == segment["id"])
