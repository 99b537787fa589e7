"""A scene: objects standing in a yard, with the exact mask of each one's visible part."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samples.scenes.backgrounds import Yard, empty_yard
from samples.scenes.camera import photographed
from samples.scenes.objects import KINDS, ObjectKind, painted
from samples.scenes.paint import OPAQUE, Field, Sprite

TRAINING_SIDE = 256
MAX_OBJECTS = 7
SMALLEST_SPRITE = 22
SPRITE_SIDES = (128, 256, 512)
SHADOW_CHANCE = 0.8
MAX_TILT_DEGREES = 8.0

# One fixed thread: rendering runs in several processes, and the pixels must not depend on cores.
cv2.setNumThreads(1)


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture and its truth. Object k (from 1) is `class_ids[k - 1]`."""

    image: NDArray[np.uint8]
    """(height, width, 3) RGB."""
    instances: NDArray[np.uint8]
    """(height, width): 0 is the yard, k the visible part of object k."""
    class_ids: NDArray[np.int64]
    """(n,) from 1, in the order of `KINDS`."""
    full_areas: NDArray[np.int64]
    """(n,) pixels of the whole object, hidden and cut-off parts included."""


def render_scene(seed: int, *, height: int = TRAINING_SIDE, width: int = TRAINING_SIDE) -> Scene:
    """The scene of this seed: the same pixels every time on the same OpenCV."""
    rng = np.random.default_rng(seed)
    yard = empty_yard(rng, height=height, width=width)
    pixels, instances = yard.pixels, np.zeros((height, width), np.uint8)
    count = int(rng.integers(1, MAX_OBJECTS + 1))
    closeness = rng.uniform(0.9, 1.5)
    class_ids, full_areas = [], []
    # Far objects first, so that near ones cover them.
    for foot in np.sort(rng.uniform(yard.horizon + 0.08 * height, 1.03 * height, count)):
        class_ids.append(int(rng.integers(len(KINDS))) + 1)
        kind = KINDS[class_ids[-1] - 1]
        size = _sprite_size(rng, kind, yard=yard, foot=foot) * closeness
        sides = [max(SMALLEST_SPRITE, int(size * rng.uniform(0.9, 1.12))) for _ in range(2)]
        standing = _Standing(len(class_ids), rng.uniform(0, width), foot, *sides)
        pixels = _shadowed(rng, pixels, standing)
        full_areas.append(_stand(rng, kind, standing, canvas=(pixels, instances)))
    image = photographed(rng, pixels)
    return Scene(image, instances, np.array(class_ids, np.int64), np.array(full_areas, np.int64))


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where one object stands: its number, centre column, foot row, and size in whole pixels."""

    number: int
    column: float
    foot: float
    width: int
    height: int

    @property
    def left(self) -> int:
        return int(self.column - self.width / 2)

    @property
    def top(self) -> int:
        return int(self.foot - self.height)


def _sprite_size(rng: np.random.Generator, kind: ObjectKind, *, yard: Yard, foot: float) -> float:
    """Pixels of the sprite's side: nearer (lower in the picture) is larger."""
    height, width = yard.pixels.shape[:2]
    depth = (foot - yard.horizon) / max(1, height - yard.horizon)
    usual = min(height, width) * kind.relative_size
    return float(usual * (0.45 + 0.75 * depth) * rng.uniform(0.75, 1.25))


def _shadowed(rng: np.random.Generator, pixels: Field, standing: _Standing) -> Field:
    """The yard with a contact shadow under the object, most of the time."""
    if rng.random() > SHADOW_CHANCE:
        return pixels
    shadow = np.zeros(pixels.shape[:2], np.float32)
    middle = int(standing.column + rng.uniform(-0.1, 0.1) * standing.width), int(standing.foot - 1)
    radii = max(2, int(standing.width * 0.45)), max(2, int(standing.height * 0.07))
    cv2.ellipse(shadow, middle, radii, 0, 0, 360, (1.0,), -1)
    strength = rng.uniform(0.2, 0.6)
    return (pixels * (1 - strength * cv2.blur(shadow, (5, 5)))[..., None]).astype(np.float32)


def _stand(
    rng: np.random.Generator,
    kind: ObjectKind,
    standing: _Standing,
    *,
    canvas: tuple[Field, NDArray[np.uint8]],
) -> int:
    """Paints the object into pixels and instance map; its whole area in pixels."""
    needed = max(standing.width, standing.height)
    side = next((side for side in SPRITE_SIDES if side >= needed), SPRITE_SIDES[-1])
    sprite = painted(kind, rng, side=side)
    color, coverage = _fitted(sprite, standing, degrees=rng.uniform(-1, 1) * MAX_TILT_DEGREES)
    _blend(canvas, color, coverage, standing)
    return int(np.count_nonzero(coverage > OPAQUE // 2))


def _fitted(
    sprite: Sprite, standing: _Standing, *, degrees: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Colour and coverage of the sprite, tilted and resized."""
    side = sprite.side
    tilt = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1.0)
    fitted = [
        cv2.resize(
            cv2.warpAffine(layer, tilt, (side, side)),
            (standing.width, standing.height),
            interpolation=cv2.INTER_AREA,
        ).astype(np.uint8)
        for layer in (sprite.color, sprite.coverage)
    ]
    return fitted[0], fitted[1]


def _blend(
    canvas: tuple[Field, NDArray[np.uint8]],
    color: NDArray[np.uint8],
    coverage: NDArray[np.uint8],
    standing: _Standing,
) -> None:
    pixels, instances = canvas
    top, left = max(0, standing.top), max(0, standing.left)
    bottom = min(pixels.shape[0], standing.top + standing.height)
    right = min(pixels.shape[1], standing.left + standing.width)
    if bottom <= top or right <= left:
        return
    there = np.s_[top:bottom, left:right]
    here = np.s_[
        top - standing.top : bottom - standing.top, left - standing.left : right - standing.left
    ]
    # Colour is premultiplied by coverage, so it is only added.
    pixels[there] = pixels[there] * (1 - coverage[here][..., None] / OPAQUE) + color[here]
    instances[there][coverage[here] > OPAQUE // 2] = standing.number
