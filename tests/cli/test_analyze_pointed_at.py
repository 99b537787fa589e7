"""`vision analyze` with a user's own SAM 2 and SAM 3: clicks, boxes and words, from weights in a
folder to JSON; the same as upstream's classes called directly on the same files.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from console import run
from loaded_sams import tiny_folder
from PIL import Image
from seeded import picture
from transformers import Sam2Model, Sam2Processor, Sam3Model, Sam3Processor

from vision.domain.mask import RleMask
from vision.models.acceptances import Acceptances
from vision.models.adding import add_model
from vision.models.catalogue import listed_specs

BOX = [40.0, 3.0, 150.0, 70.0]
SAM2_PROMPT = {"points": [[70, 45, 1]], "boxes": [BOX]}
WORD_PROMPT = {"text": ["red car"], "min_score": 0.1}


def test_clicks_and_boxes_give_what_upstream_gives(tmp_path: Path) -> None:
    file = _picture(tmp_path)
    add_model(tmp_path / "models", "own", like="sam2.1_hiera_tiny", file=tiny_folder("sam2"))

    items = _analyzed(file, SAM2_PROMPT)

    masks, ious = _upstream_of_clicks_and_boxes(file)
    assert [item["mask"] for item in items] == [mask.to_json() for mask in masks]
    np.testing.assert_allclose([item["predicted_iou"] for item in items], ious, rtol=1e-5)


@pytest.mark.slow  # tests/api/test_every_family.py asks the same by REST
def test_words_give_what_upstream_gives(tmp_path: Path) -> None:
    file = _picture(tmp_path)
    Acceptances(tmp_path / "models").accept(listed_specs()["sam3"], by="the tests")
    add_model(tmp_path / "models", "own", like="sam3", file=tiny_folder("sam3"))

    items = _analyzed(file, WORD_PROMPT)

    masks, scores = _upstream_of_words(file)
    assert len(items) > 0
    assert {item["label"] for item in items} == {"red car"}
    assert [item["mask"] for item in items] == [mask.to_json() for mask in masks]
    np.testing.assert_allclose([item["score"] for item in items], scores, rtol=1e-5)


def _picture(folder: Path) -> Path:
    (folder / "models").mkdir()
    file = folder / "picture.png"
    Image.fromarray(picture(90, 160, seed=3)).save(file)
    return file


def _analyzed(file: Path, prompt: dict[str, Any]) -> list[dict[str, Any]]:
    """By the model `own` in the folder `models` beside the file."""
    pipeline = file.with_name("pipeline.json")
    pipeline.write_text(json.dumps({"segment": {"model": "own", "prompt": prompt}}))
    models_dir = str(file.with_name("models"))
    ended = run("analyze", file, "-p", pipeline, "--json", VISION_MODELS_DIR=models_dir)
    assert ended.code == 0, ended.err
    items: list[dict[str, Any]] = json.loads(ended.out)["items"]
    return items


def _upstream_of_clicks_and_boxes(file: Path) -> tuple[list[RleMask], list[float]]:
    """The best of the click's three, then the box's."""
    network = Sam2Model.from_pretrained(tiny_folder("sam2")).eval()
    processor = Sam2Processor.from_pretrained(tiny_folder("sam2"))
    found: list[tuple[RleMask, float]] = []
    for several, prompt in (
        (True, {"input_points": [[[[70, 45]]]], "input_labels": [[[1]]]}),
        (False, {"input_boxes": [[BOX]]}),
    ):
        inputs = processor(images=Image.open(file), return_tensors="pt", **prompt)
        with torch.inference_mode():
            answer = network(**inputs, multimask_output=several)
        (masks,) = processor.post_process_masks(answer.pred_masks, inputs["original_sizes"])
        best = int(answer.iou_scores[0, 0].argmax())
        found.append(
            (RleMask.from_bitmap(masks[0, best].numpy()), float(answer.iou_scores[0, 0, best]))
        )
    return [mask for mask, _ in found], [iou for _, iou in found]


def _upstream_of_words(file: Path) -> tuple[tuple[RleMask, ...], list[float]]:
    """Highest score first."""
    network = Sam3Model.from_pretrained(tiny_folder("sam3")).eval()
    processor = Sam3Processor.from_pretrained(tiny_folder("sam3"))
    inputs = processor(images=Image.open(file), text="red car", return_tensors="pt")
    with torch.inference_mode():
        answer = network(**inputs)
    (found,) = processor.post_process_instance_segmentation(
        answer, threshold=0.1, target_sizes=inputs["original_sizes"].tolist()
    )
    order = found["scores"].argsort(descending=True)
    masks = found["masks"][order].bool().numpy()
    return RleMask.from_bitmaps(masks), found["scores"][order].tolist()
