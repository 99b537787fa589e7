"""The detector's average precision (COCO's own evaluation) and the quality of its masks."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchvision.models.detection import MaskRCNN

from samples.coco import NamedScene, RunLengths, coco_document, encoded_mask
from samples.evaluation.figure import Figure
from samples.evaluation.overlap import box_ious, mask_iou
from samples.scenes.annotations import annotate
from samples.scenes.scene import Scene

MAP50_FLOOR, MASK_IOU_FLOOR = 0.92, 0.80
MATCHING_IOU = 0.5
SURE_SCORE = 0.5
MASK_CHANCE = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """What the detector found in one scene, best first."""

    boxes: NDArray[np.float32]
    """(n, 4) x1, y1, x2, y2 in pixels."""
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    masks: NDArray[np.bool_]
    """(n, height, width)."""


class CocoResult(TypedDict):
    """One detection in COCO's result format."""

    image_id: int
    category_id: int
    bbox: list[float]
    score: float
    segmentation: RunLengths


def detector_figures(network: MaskRCNN, scenes: Sequence[Scene]) -> list[Figure]:
    found = [found_objects(network, scene) for scene in scenes]
    boxes, masks = (average_precision(scenes, found, kind=kind) for kind in ("bbox", "segm"))
    return [
        Figure("detector mAP50 (boxes)", boxes[1], MAP50_FLOOR),
        Figure("detector mAP50-95 (boxes)", boxes[0]),
        Figure("detector mAP50 (masks)", masks[1]),
        Figure("detector mAP50-95 (masks)", masks[0]),
        Figure(
            "detector mask IoU of true positives",
            float(np.mean(true_positive_ious(scenes, found))),
            MASK_IOU_FLOOR,
        ),
    ]


@torch.inference_mode()
def found_objects(network: MaskRCNN, scene: Scene) -> Found:
    pixels = torch.from_numpy(scene.image).permute(2, 0, 1).float() / 255
    (answer,) = network([pixels])
    return Found(
        boxes=answer["boxes"].numpy(),
        scores=answer["scores"].numpy(),
        class_ids=answer["labels"].numpy(),
        masks=answer["masks"][:, 0].numpy() > MASK_CHANCE,
    )


def average_precision(
    scenes: Sequence[Scene], found: Sequence[Found], *, kind: str
) -> tuple[float, float]:
    """mAP over IoU 0.5 to 0.95, and at 0.5, for `kind` "bbox" or "segm"."""
    results = [
        result
        for image_id, objects in enumerate(found, 1)
        for result in _results(objects, image_id)
    ]
    # pycocotools reports by printing.
    with redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = coco_document(
            [NamedScene(f"{index}", scene) for index, scene in enumerate(scenes)],
            description="held-out scenes",
        )
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


def _results(objects: Found, image_id: int) -> list[CocoResult]:
    return [
        {
            "image_id": image_id,
            "category_id": int(objects.class_ids[row]),
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": float(objects.scores[row]),
            "segmentation": encoded_mask(objects.masks[row]),
        }
        for row, (x1, y1, x2, y2) in enumerate(objects.boxes.tolist())
    ]


def true_positive_ious(scenes: Sequence[Scene], found: Sequence[Found]) -> list[float]:
    """Mask IoU of every sure detection whose box lies on an object of its class."""
    return [
        iou
        for scene, objects in zip(scenes, found, strict=True)
        for iou in _scene_ious(scene, objects)
    ]


def _scene_ious(scene: Scene, found: Found) -> list[float]:
    wanted, ious = annotate(scene).wanted(), []
    overlaps = box_ious(found.boxes, wanted.boxes)
    overlaps[found.class_ids[:, None] != wanted.class_ids[None]] = 0
    for row in np.flatnonzero(found.scores > SURE_SCORE):
        if not overlaps.shape[1] or overlaps[row].max() < MATCHING_IOU:
            continue
        match = int(overlaps[row].argmax())
        overlaps[:, match] = 0  # an object is found once
        ious.append(mask_iou(found.masks[row], scene.instances == wanted.numbers[match]))
    return ious
