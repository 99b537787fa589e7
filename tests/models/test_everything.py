"""Masks of everything against `SamAutomaticMaskGenerator` on the same network: exact, and fast."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco
from seeded import picture, tiny_sam
from segment_anything import SamAutomaticMaskGenerator, sam_model_registry
from segment_anything.modeling import Sam
from torch_threads import enlarging_by_two

from vision.domain.detections import Detections
from vision.domain.image import RgbImage
from vision.domain.mask import RleMask
from vision.errors import InvalidRequest
from vision.models.base import EverythingOptions, ModelIdentity
from vision.models.catalogue import SHIPPED, listed_specs
from vision.models.demo_networks import build_demo_sam
from vision.models.segment_anything import SegmentAnything
from vision.models.state import load_state, read_state

SAMPLES = Path(__file__).parents[2] / "samples" / "images"
LENIENT = EverythingOptions(
    points_per_side=5,
    points_per_batch=8,
    pred_iou_thresh=0.05,
    stability_score_thresh=0.3,
    stability_score_offset=0.01,
    box_nms_thresh=1.0,
    crop_nms_thresh=1.0,
)
"""Random weights trust nothing: upstream's thresholds would leave no mask."""
DEMO = EverythingOptions(points_per_side=6, pred_iou_thresh=0.6, stability_score_thresh=0.7)
"""As listed, with fewer clicks."""
CROPS = {"crop_n_layers": 1, "crop_n_points_downscale_factor": 2}
SIZES = {
    "as wide as the network": (192, 256),
    "larger": (333, 500),
    "smaller and high": (120, 90),
    "tiny": (40, 60),
}
FAST_IOU = 0.9999
FAST_PIXELS = 2
"""By which a mask may differ even if that is more: masks of small pictures are small, and the noise
that random weights draw is everywhere near its threshold."""
FAST_COUNT = 0.005
"""How many masks more or fewer, as a part."""
BFLOAT16_IOU = 0.99
MINUTES = (pytest.mark.slow, pytest.mark.timeout(1800))


def demo_sam() -> Sam:
    spec = listed_specs()["demo_sam"]
    network = build_demo_sam()
    load_state(network, read_state(SHIPPED / spec.weights.file), what="demo_sam")
    return network.eval()


def official_vit_b() -> Sam:
    torch.manual_seed(5)
    return sam_model_registry["vit_b"](checkpoint=None).eval()


def sample(height: int, width: int) -> RgbImage:
    """A part of a sample picture: demo_sam finds things in it."""
    with Image.open(SAMPLES / "yard-1.jpg") as opened:
        small = opened.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(small)


@cache
def of_upstream(build: Callable[[], Sam], size: str, options: EverythingOptions) -> Detections:
    generator = SamAutomaticMaskGenerator(
        enlarging_by_two(build()), **options.upstreams(), output_mode="coco_rle"
    )
    records = generator.generate(shown(build, size))
    boxes = np.array([record["bbox"] for record in records], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return Detections(
        boxes=boxes,
        labels=("object",) * len(records),
        class_ids=np.zeros(len(records), np.int64),
        masks=tuple(RleMask.from_json(record["segmentation"]) for record in records),
        predicted_iou=np.float32([record["predicted_iou"] for record in records]),
        stability_scores=np.float32([record["stability_score"] for record in records]),
    )


def shown(build: Callable[[], Sam], size: str) -> RgbImage:
    height, width = SIZES[size]
    return sample(height, width) if build is demo_sam else picture(height, width, seed=3)


def ours(
    build: Callable[[], Sam], size: str, options: EverythingOptions, *, precision: str = "float32"
) -> Detections:
    identity = ModelIdentity("sam", "0" * 64, "cpu", precision)
    return SegmentAnything(build(), identity=identity).generate(shown(build, size), options)


ANY = replace(
    LENIENT, points_per_side=2, pred_iou_thresh=0.0, stability_score_thresh=0.0, points_per_batch=3
)
TINY = {
    "": LENIENT,
    "crops": replace(LENIENT, **CROPS),
    "regions removed": replace(LENIENT, min_mask_region_area=50),
    "any trust": replace(LENIENT, pred_iou_thresh=0.0),
    "any stability": replace(LENIENT, stability_score_thresh=0.0, stability_score_offset=2.0),
}
EVERY = pytest.mark.parametrize(
    ("build", "options", "size"),
    [
        *(
            pytest.param(tiny_sam, options, size, id=f"tiny, {name or 'all'}, {size}")
            for name, options in TINY.items()
            for size in SIZES
        ),
        *(pytest.param(demo_sam, DEMO, size, id=f"demo_sam, {size}") for size in SIZES),
        pytest.param(
            demo_sam,
            replace(DEMO, **CROPS, min_mask_region_area=30),
            "larger",
            id="demo_sam, crops, regions removed",
        ),
        *(
            pytest.param(official_vit_b, ANY, size, id=f"vit_b, {size}", marks=MINUTES)
            for size in SIZES
        ),
        pytest.param(
            official_vit_b,
            replace(ANY, crop_n_layers=1),
            "larger",
            id="vit_b, crops",
            marks=MINUTES,
        ),
    ],
)


@EVERY
def test_exact_is_upstreams_bit_for_bit(
    build: Callable[[], Sam], options: EverythingOptions, size: str
) -> None:
    expected = of_upstream(build, size, options)

    found = ours(build, size, options)

    assert found.masks == expected.masks
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.predicted_iou, expected.predicted_iou)
    np.testing.assert_array_equal(found.stability_scores, expected.stability_scores)


def test_there_is_something_to_compare() -> None:
    counts = [len(of_upstream(demo_sam, size, DEMO)) for size in SIZES]

    assert min(counts[:3]) >= 5


@EVERY
def test_fast_is_upstreams_but_for_rounding(
    build: Callable[[], Sam], options: EverythingOptions, size: str
) -> None:
    expected = of_upstream(build, size, options)

    found = ours(build, size, replace(options, mode="fast"))

    assert abs(len(found) - len(expected)) <= FAST_COUNT * len(expected)
    for row in np.flatnonzero(best_ious(found, expected) < FAST_IOU):
        assert pixels_apart(found, row, expected) <= FAST_PIXELS


def test_fast_in_bfloat16_stays_near() -> None:
    """The encoder computes in bfloat16 in both; the decoder in the fast mode only."""
    expected = ours(demo_sam, "larger", DEMO, precision="bfloat16")

    found = ours(demo_sam, "larger", replace(DEMO, mode="fast"), precision="bfloat16")

    assert len(found) == pytest.approx(len(expected), rel=0.1)
    assert np.median(best_ious(found, expected)) >= BFLOAT16_IOU


def test_nothing_may_be_found() -> None:
    for mode in ("exact", "fast"):
        found = ours(tiny_sam, "tiny", replace(LENIENT, pred_iou_thresh=1.0, mode=mode))

        assert found.masks == ()


def test_a_sliver_has_nothing_in_it() -> None:
    identity = ModelIdentity("sam", "0" * 64, "cpu", "float32")
    model = SegmentAnything(tiny_sam(), identity=identity)

    for mode in ("exact", "fast"):
        assert len(model.generate(picture(1, 2000), replace(LENIENT, mode=mode))) == 0


def test_a_layer_of_crops_without_clicks_is_a_wrong_request() -> None:
    options = replace(LENIENT, points_per_side=2, crop_n_layers=2, crop_n_points_downscale_factor=2)

    with pytest.raises(InvalidRequest, match="no point in crop layer 2"):
        ours(tiny_sam, "tiny", options)


def pixels_apart(found: Detections, row: int, expected: Detections) -> int:
    """From the expected mask that is nearest."""
    assert found.masks is not None
    assert expected.masks is not None
    mine = found.masks[row].bitmap()
    return min(int((mine ^ mask.bitmap()).sum()) for mask in expected.masks)


def best_ious(found: Detections, expected: Detections) -> np.ndarray:
    """Of each found mask with the expected one that is nearest."""
    mine, theirs = ([mask.to_json() for mask in one.masks or ()] for one in (found, expected))
    if not mine or not theirs:
        return np.zeros(max(len(mine), len(theirs)))
    return np.asarray(coco.iou(mine, theirs, [0] * len(theirs))).max(axis=1)
