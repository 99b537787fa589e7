"""Shape scenes: textured regions of no class, so that a segmenter learns to follow edges.

They stand in for photographs, whose objects look like none of the yard's.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from samples.scenes.camera import photographed
from samples.scenes.paint import OPAQUE, Field, random_color, smooth_noise
from samples.scenes.scene import TRAINING_SIDE, Scene

FEWEST_REGIONS, MOST_REGIONS = 4, 14
FEWEST_SHAPES, MOST_SHAPES = 3, 9
PARTITION_CHANCE = 0.35
HARMONICS = 5
NO_CLASS = 0
OUTLINE_POINTS = 96

Grid = tuple[Field, Field]


def render_shapes(seed: int, *, side: int = TRAINING_SIDE) -> Scene:
    """A square scene of shapes; class ids are all 0. Not photographic, not meant to be."""
    rng = np.random.default_rng(seed)
    regions = _partition(rng, side) if rng.random() < PARTITION_CHANCE else None
    pixels = np.zeros((side, side, 3), np.float32)
    instances = np.zeros((side, side), np.uint8)
    backdrop = [np.ones((side, side), bool)] if regions is None else regions
    areas: list[int] = []
    for mask in backdrop:
        pixels[mask] = _texture(rng, side)[mask]
        if regions is not None:
            areas.append(int(mask.sum()))
            instances[mask] = len(areas)
    most = MOST_SHAPES if regions is None else FEWEST_SHAPES
    for _ in range(int(rng.integers(FEWEST_SHAPES, most + 1))):
        coverage = _outlined(rng, side)
        pixels = _laid_on(rng, pixels, coverage)
        areas.append(int(np.count_nonzero(coverage > 0.5)))
        instances[coverage > 0.5] = len(areas)
    ids = np.full(len(areas), NO_CLASS, np.int64)
    return Scene(photographed(rng, pixels), instances, ids, np.array(areas, np.int64))


def _partition(rng: np.random.Generator, side: int) -> list[NDArray[np.bool_]]:
    """The picture cut into regions around random centres, with wavy borders."""
    across, down = _wavy_grid(rng, side)
    count = int(rng.integers(FEWEST_REGIONS, MOST_REGIONS + 1))
    centers, stretch = rng.uniform(0, side, (count, 2)), rng.uniform(0.6, 1.6)
    distances = [(across - x) ** 2 + stretch * (down - y) ** 2 for x, y in centers]
    nearest = np.argmin(np.stack(distances), 0)
    masks = [nearest == index for index in range(count)]
    return [mask for mask in masks if mask.any()]


def _wavy_grid(rng: np.random.Generator, side: int) -> Grid:
    line = np.arange(side, dtype=np.float32)
    across, down = np.meshgrid(line, line)
    cell = rng.uniform(12, 60)
    strength = cell * rng.uniform(0, 0.35)
    shift = [strength * smooth_noise(rng, side, side, cell=cell) for _ in range(2)]
    return across + shift[0], down + shift[1]


def _texture(rng: np.random.Generator, side: int) -> Field:
    """(side, side, 3): a colour with a gradient, patches, grain, and sometimes a pattern."""
    color = random_color(rng, 30, 240)
    base = color * rng.uniform(0.2, 1) + color.mean() * rng.uniform(0, 0.8)
    line = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    slope = rng.uniform(-0.5, 0.5, 2)
    light = 1 + slope[0] * line[:, None] + slope[1] * line[None, :]
    light = light + rng.uniform(0, 0.15) * smooth_noise(rng, side, side, cell=rng.uniform(15, 70))
    light = light + rng.uniform(0, 0.12) * smooth_noise(rng, side, side, cell=rng.uniform(2, 7))
    light = light * PATTERNS[int(rng.integers(len(PATTERNS)))](rng, side)
    return np.asarray(np.clip(light[..., None] * base, 0, 255), np.float32)


def _plain(_rng: np.random.Generator, side: int) -> Field:
    return np.ones((side, side), np.float32)


def _stripes(rng: np.random.Generator, side: int) -> Field:
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 20)
    line = np.arange(side, dtype=np.float32)
    phase = np.cos(angle) * line[None, :] + np.sin(angle) * line[:, None]
    waves = np.sin(phase * (2 * np.pi / period))
    return np.asarray(1 + rng.uniform(0.05, 0.25) * waves, np.float32)


def _checks(rng: np.random.Generator, side: int) -> Field:
    return _stripes(rng, side) * _stripes(rng, side)


PATTERNS: tuple[Callable[[np.random.Generator, int], Field], ...] = (
    _plain,
    _plain,
    _plain,
    _stripes,
    _checks,
)


def _outlined(rng: np.random.Generator, side: int) -> Field:
    """(side, side) coverage 0..1 of one random closed shape."""
    radius, stretch = side * rng.uniform(0.06, 0.3), rng.uniform(0.45, 1.0)
    outline = OUTLINES[int(rng.integers(len(OUTLINES)))](rng) * radius
    outline[:, 1] *= stretch
    turn = rng.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = outline @ rotation + rng.uniform(0.05 * side, 0.95 * side, 2)
    coverage = np.zeros((side, side), np.uint8)
    cv2.fillPoly(coverage, [np.rint(corners * 16).astype(np.int32)], (OPAQUE,), cv2.LINE_AA, 4)
    return np.asarray(coverage / OPAQUE, np.float32)


def _blob(rng: np.random.Generator) -> NDArray[np.float64]:
    """A smooth closed curve around the origin, about 1 in radius."""
    angles = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    reach = np.ones(OUTLINE_POINTS)
    for order in range(2, 2 + HARMONICS):
        wave = np.cos(order * angles + rng.uniform(0, 2 * np.pi))
        reach += rng.normal(0, 0.35 / order) * wave
    reach = np.maximum(reach, 0.25)
    return np.stack([reach * np.cos(angles), reach * np.sin(angles)], 1)


def _polygon(rng: np.random.Generator) -> NDArray[np.float64]:
    corners = int(rng.integers(3, 8))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = rng.uniform(0.7, 1.2, corners)
    return np.stack([reach * np.cos(angles), reach * np.sin(angles)], 1)


def _rectangle(_rng: np.random.Generator) -> NDArray[np.float64]:
    return np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])


def _ellipse(_rng: np.random.Generator) -> NDArray[np.float64]:
    angles = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], 1)


OUTLINES: tuple[Callable[[np.random.Generator], NDArray[np.float64]], ...] = (
    _blob,
    _blob,
    _blob,
    _polygon,
    _rectangle,
    _ellipse,
)


def _laid_on(rng: np.random.Generator, pixels: Field, coverage: Field) -> Field:
    """The picture with a textured shape on top, sometimes with a soft shadow below it."""
    side = len(pixels)
    if rng.random() < 0.5:
        shift = np.array([[1, 0, rng.uniform(-6, 6)], [0, 1, rng.uniform(0, 8)]], np.float32)
        shadow = cv2.blur(cv2.warpAffine(coverage, shift, (side, side)), (9, 9))
        pixels = pixels * (1 - rng.uniform(0.1, 0.5) * shadow)[..., None]
    texture = _texture(rng, side)
    if rng.random() < 0.4:
        texture = texture * _rounded_light(rng, coverage)[..., None]
    blended = pixels * (1 - coverage)[..., None] + texture * coverage[..., None]
    return np.clip(blended, 0, 255).astype(np.float32)


def _rounded_light(rng: np.random.Generator, coverage: Field) -> Field:
    """Brighter inside than near the outline, as a round body is."""
    depth = cv2.distanceTransform((coverage > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    deepest = max(float(depth.max()), 1.0)
    return np.asarray(rng.uniform(0.45, 0.8) + 0.6 * np.sqrt(depth / deepest), np.float32)
