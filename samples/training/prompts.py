"""Prompts: the boxes, clicks and earlier masks a person could give for a scene's objects."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samples.scenes.annotations import Annotations

BOX_JITTER = 0.05
"""Deviation of a box's edges, as a share of its size."""
SMALL_SIDE = 20
SMALL_WEIGHT = 0.25
"""How often objects narrower than `SMALL_SIDE` pixels are asked for, against 1 for the others."""
YARD_CHANCE = 0.06
DEEP_CLICK_CHANCE = 0.5
NEGATIVE_CLICK_CHANCE = 0.5
FEWEST_YARD_PIXELS = 200
LOGIT_STRENGTHS = (3.0, 12.0)

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Clicks:
    """Points on one object, and perhaps outside it."""

    points: NDArray[np.float32]
    """(k, 2) x, y in pixels."""
    is_inside: NDArray[np.float32]
    """(k,) 1 on the object, 0 outside: segment-anything's point labels."""


def asked_object(objects: Annotations, rng: np.random.Generator) -> int:
    """The row of an object to ask for; small ones less often."""
    sides = (objects.boxes[:, 2:] - objects.boxes[:, :2]).min(1)
    weights = np.where(sides < SMALL_SIDE, SMALL_WEIGHT, 1.0)
    return int(rng.choice(len(sides), p=weights / weights.sum()))


def drawn_box(box: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """(4,) the box as a hurried person or a detector would draw it."""
    size = np.tile(box[2:] - box[:2], 2)
    return (box + rng.normal(0, BOX_JITTER, 4) * size).astype(np.float32)


def clicked_mask(instances: NDArray[np.uint8], number: int, rng: np.random.Generator) -> Mask:
    """The mask a click asks for: that object, or now and then the yard around them."""
    yard = instances == 0
    if rng.random() < YARD_CHANCE and np.count_nonzero(yard) > FEWEST_YARD_PIXELS:
        return np.asarray(yard)
    return np.asarray(instances == number)


def one_click(mask: Mask, rng: np.random.Generator) -> Clicks:
    return Clicks(_inside_point(mask, rng)[None], np.ones(1, np.float32))


def two_clicks(mask: Mask, rng: np.random.Generator) -> Clicks:
    """Two points inside, or one inside and one outside."""
    first = _inside_point(mask, rng)
    is_negative = rng.random() < NEGATIVE_CLICK_CHANCE and not mask.all()
    second = _any_point(~mask, rng) if is_negative else _inside_point(mask, rng)
    return Clicks(np.stack([first, second]), np.array([1, 0 if is_negative else 1], np.float32))


def earlier_logits(coarse: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """(h, w) logits of an imperfect earlier answer, from the true coverage (h, w) in 0..1."""
    size = 2 * int(rng.integers(1, 4)) + 1
    kernel = np.ones((size, size), np.uint8)
    damaged = cv2.erode(coarse, kernel) if rng.random() < 0.5 else cv2.dilate(coarse, kernel)
    damaged = np.roll(damaged, rng.integers(-2, 3, 2), (0, 1))
    strength = rng.uniform(*LOGIT_STRENGTHS)
    noise = rng.standard_normal(coarse.shape, np.float32)
    return ((2 * damaged - 1) * strength + noise).astype(np.float32)


def _inside_point(mask: Mask, rng: np.random.Generator) -> NDArray[np.float32]:
    if rng.random() > DEEP_CLICK_CHANCE:
        return _any_point(mask, rng)
    # People click the middle of a thing; grids of points hit it anywhere. Both are trained.
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    return _any_point(depth > 0.5 * depth.max(), rng)


def _any_point(mask: Mask, rng: np.random.Generator) -> NDArray[np.float32]:
    places = np.flatnonzero(mask)
    row, column = divmod(int(places[int(rng.integers(len(places)))]), mask.shape[1])
    return np.array([column, row], np.float32)
