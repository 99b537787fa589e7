"""The segmenter's masks from a box and from one click, through upstream's own predictor."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from segment_anything import SamPredictor
from segment_anything.modeling import Sam

from samples.evaluation.figure import Figure
from samples.evaluation.overlap import mask_iou
from samples.scenes.annotations import annotate
from samples.scenes.scene import Scene

SMALLEST_SIDE = 24
"""Objects whose visible box is narrower than this many pixels are reported apart."""
BOX_MEAN_FLOOR, BOX_MEDIAN_FLOOR, CLICK_FLOOR = 0.82, 0.88, 0.78


@dataclass(frozen=True, slots=True)
class Answers:
    """IoU of the masks the segmenter gave for one object."""

    is_large: bool
    box: float
    click_best: float
    """The best of the three masks for one click in the object's middle."""
    click_chosen: float
    """The one it believes in most."""
    iou_error: float
    """How far its predicted IoU of the box's mask was off."""


def segmenter_figures(network: Sam, scenes: Sequence[Scene]) -> list[Figure]:
    predictor = SamPredictor(network)
    answers = [answer for scene in scenes for answer in scene_answers(predictor, scene)]
    large = [answer for answer in answers if answer.is_large]
    boxes = [answer.box for answer in large]
    return [
        Figure("sam box, mean IoU", float(np.mean(boxes)), BOX_MEAN_FLOOR),
        Figure("sam box, median IoU", float(np.median(boxes)), BOX_MEDIAN_FLOOR),
        Figure("sam one click, best of three", _mean(large, "click_best"), CLICK_FLOOR),
        Figure("sam one click, its own choice", _mean(large, "click_chosen")),
        Figure("sam error of predicted IoU", _mean(large, "iou_error")),
        Figure("sam box, mean IoU, small objects too", _mean(answers, "box")),
        Figure("sam objects judged", len(large)),
    ]


def _mean(answers: Sequence[Answers], column: str) -> float:
    return float(np.mean([getattr(answer, column) for answer in answers]))


def scene_answers(predictor: SamPredictor, scene: Scene) -> list[Answers]:
    """One row per object that counts."""
    predictor.set_image(scene.image)
    objects = annotate(scene).wanted()
    return [
        _object_answers(predictor, box, scene.instances == number)
        for box, number in zip(objects.boxes, objects.numbers, strict=True)
    ]


def _object_answers(
    predictor: SamPredictor, box: NDArray[np.float32], truth: NDArray[np.bool_]
) -> Answers:
    (boxed,), (believed,), _ = predictor.predict(box=box, multimask_output=False)
    clicked, beliefs, _ = predictor.predict(
        point_coords=_middle(truth)[None], point_labels=np.ones(1), multimask_output=True
    )
    ious = [mask_iou(mask, truth) for mask in clicked]
    box_iou = mask_iou(boxed, truth)
    return Answers(
        is_large=bool(min(box[2] - box[0], box[3] - box[1]) >= SMALLEST_SIDE),
        box=box_iou,
        click_best=max(ious),
        click_chosen=ious[int(np.argmax(beliefs))],
        iou_error=abs(float(believed) - box_iou),
    )


def _middle(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """x, y of the pixel farthest from the mask's border."""
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    row, column = divmod(int(depth.argmax()), mask.shape[1])
    return np.array([column, row], np.float32)
