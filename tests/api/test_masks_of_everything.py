"""Masks of everything by REST, in both modes, against segment-anything's own generator."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_models_asked import finished
from PIL import Image
from pycocotools import mask as coco
from segment_anything import SamAutomaticMaskGenerator
from serving import Served
from torch_threads import enlarging_by_two

from vision.models.catalogue import SHIPPED, listed_specs
from vision.models.demo_networks import build_demo_sam
from vision.models.state import load_state, read_state

YARD = Path(__file__).parents[2] / "samples" / "images" / "yard-1.jpg"
PARAMETERS = {"points_per_side": 6, "pred_iou_thresh": 0.6, "stability_score_thresh": 0.7}
FAST_IOU = 0.9999


@pytest.fixture(scope="module")
def of_upstream() -> list[dict[str, Any]]:
    network = build_demo_sam()
    weights = SHIPPED / listed_specs()["demo_sam"].weights.file
    load_state(network, read_state(weights), what="demo_sam")
    generator = SamAutomaticMaskGenerator(
        enlarging_by_two(network.eval()), **PARAMETERS, output_mode="coco_rle"
    )
    with Image.open(YARD) as opened:
        records: list[dict[str, Any]] = generator.generate(np.asarray(opened.convert("RGB")))
    return records


def masks(served: Served, mode: str) -> list[Any]:
    stage = {"model": "demo_sam", "prompt": "everything", "mode": mode, **PARAMETERS}
    job = finished(served, {"segment": stage}, file=YARD.read_bytes())
    rows = served.client.get(f"/v1/jobs/{job}/detections?include=mask&limit=500").json()["items"]
    return [row["mask"] for row in rows]


def test_exact_masks_are_upstreams(served: Served, of_upstream: list[dict[str, Any]]) -> None:
    found = masks(served, "exact")

    assert len(found) > 5
    assert found == [record["segmentation"] for record in of_upstream]


def test_fast_masks_are_upstreams_but_for_rounding(
    served: Served, of_upstream: list[dict[str, Any]]
) -> None:
    found = masks(served, "fast")

    expected = [record["segmentation"] for record in of_upstream]
    assert len(found) == len(expected)
    assert coco.iou(found, expected, [0] * len(expected)).max(axis=1).min() >= FAST_IOU


def test_a_model_without_the_mode_names_the_field(served: Served) -> None:
    stage = {"model": "sam2.1_hiera_tiny", "prompt": "everything", "mode": "fast"}
    body = {"asset_ids": ["0" * 32], "pipeline": {"segment": stage}}

    answer = served.client.post("/v1/jobs", json=body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["segment.mode"]
