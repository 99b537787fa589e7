"""Backgrounds: a yard floor, a wall or sky behind it, and clutter that is no object."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from samples.scenes.paint import Color, Field, clipped, gray, random_color, smooth_noise

MAX_CLUTTER = 8


@dataclass(frozen=True, slots=True)
class Yard:
    """A yard with nothing in it yet."""

    pixels: Field
    """(height, width, 3) float32, 0..255."""
    horizon: int
    """The row where the floor begins."""


def empty_yard(rng: np.random.Generator, *, height: int, width: int) -> Yard:
    horizon = int(height * rng.uniform(0.08, 0.36))
    pixels = np.zeros((height, width, 3), np.float32)
    lay_floor = FLOORS[int(rng.integers(len(FLOORS)))]
    lay_floor(rng, pixels, horizon)
    _paint_backdrop(rng, pixels, horizon)
    for _ in range(int(rng.integers(0, MAX_CLUTTER))):
        CLUTTER[int(rng.integers(len(CLUTTER)))](rng, pixels, horizon)
    return Yard(_weathered(rng, pixels), horizon)


def _unit(pixels: Field) -> float:
    """One 256th of the shorter side: sizes below are chosen for a picture of 256 pixels."""
    height, width = pixels.shape[:2]
    return float(min(height, width) / 256)


def _lay_road(rng: np.random.Generator, pixels: Field, horizon: int) -> None:
    height, width = pixels.shape[:2]
    pixels[:] = gray(rng.uniform(65, 145)) + rng.normal(0, 4, 3)
    for _ in range(int(rng.integers(1, 4))):
        row, tilt = int(rng.uniform(horizon, height)), int(rng.uniform(-0.15, 0.15) * height)
        thickness = max(1, round(rng.uniform(2, 5) * _unit(pixels)))
        line = clipped(gray(rng.uniform(170, 225)))
        cv2.line(pixels, (0, row), (width, row + tilt), line, thickness)


def _lay_grass(rng: np.random.Generator, pixels: Field, _horizon: int) -> None:
    height, width = pixels.shape[:2]
    pixels[:] = (rng.uniform(55, 115), rng.uniform(95, 165), rng.uniform(35, 85))
    blades = smooth_noise(rng, height, width, cell=3 * _unit(pixels))
    pixels *= (1 + rng.uniform(0.1, 0.22) * blades)[..., None]


def _lay_tiles(rng: np.random.Generator, pixels: Field, horizon: int) -> None:
    height, width = pixels.shape[:2]
    tile = gray(rng.uniform(105, 215)) + rng.normal(0, 10, 3)
    pixels[:] = tile
    step, joint = int(rng.uniform(18, 46) * _unit(pixels)), clipped(tile, rng.uniform(0.7, 0.88))
    thickness = max(1, round(_unit(pixels)))
    for row in range(horizon, height, step):
        cv2.line(pixels, (0, row), (width, row), joint, thickness)
    for column in range(-width, 2 * width, step):
        end = int(column + (column - width / 2) * 0.6)
        cv2.line(pixels, (column, horizon), (end, height), joint, thickness)


def _lay_gravel(rng: np.random.Generator, pixels: Field, _horizon: int) -> None:
    height, width = pixels.shape[:2]
    pixels[:] = random_color(rng, 80, 190) * 0.35 + rng.uniform(60, 110)
    stones = smooth_noise(rng, height, width, cell=rng.uniform(1.6, 4) * _unit(pixels))
    pixels *= (1 + rng.uniform(0.06, 0.2) * np.tanh(stones))[..., None]


def _lay_plain(rng: np.random.Generator, pixels: Field, _horizon: int) -> None:
    pixels[:] = random_color(rng, 60, 200) * 0.6 + 60


FloorLayer = Callable[[np.random.Generator, Field, int], None]
FLOORS: tuple[FloorLayer, ...] = (_lay_road, _lay_grass, _lay_tiles, _lay_gravel, _lay_plain)


def _paint_backdrop(rng: np.random.Generator, pixels: Field, horizon: int) -> None:
    """Sky, or a wall, sometimes of bricks, above the horizon."""
    if horizon == 0:
        return
    sky = np.array([rng.uniform(120, 220), rng.uniform(150, 220), rng.uniform(180, 250)])
    is_sky = rng.random() < 0.5
    color: Color = sky if is_sky else random_color(rng, 90, 220) * 0.45 + rng.uniform(40, 100)
    fade = np.linspace(1.1, 0.9, horizon, dtype=np.float32)[:, None, None]
    pixels[:horizon] = color * fade
    if not is_sky and rng.random() < 0.5:
        _lay_bricks(pixels, horizon, joint=clipped(color, 0.75), course=7 * _unit(pixels))


def _lay_bricks(
    pixels: Field, horizon: int, *, joint: tuple[float, float, float], course: float
) -> None:
    width, length = pixels.shape[1], course * 2.2
    for number in range(int(horizon / course) + 1):
        row = horizon - int(number * course)
        cv2.line(pixels, (0, row), (width, row), joint, 1)
        for start in np.arange(number % 2 * length / 2, width, length):
            cv2.line(pixels, (int(start), row), (int(start), row - int(course)), joint, 1)


def _add_building(rng: np.random.Generator, pixels: Field, horizon: int) -> None:
    unit, width = _unit(pixels), pixels.shape[1]
    left, span, rise = (int(rng.uniform(*bounds)) for bounds in ((0, width), (10, 70), (10, 70)))
    color = random_color(rng, 40, 200) * 0.5 + 40
    low = (left + int(span * unit), horizon - 1)
    top = max(0, horizon - int(rise * unit))
    cv2.rectangle(pixels, (left, top), low, clipped(color), -1)
    for column in range(left + int(4 * unit), low[0] - int(6 * unit), max(4, int(12 * unit))):
        for row in range(top + int(4 * unit), horizon - int(8 * unit), max(4, int(13 * unit))):
            corner = (column + int(5 * unit), row + int(6 * unit))
            cv2.rectangle(pixels, (column, row), corner, clipped(color, 0.6), -1)


def _add_pole(rng: np.random.Generator, pixels: Field, horizon: int) -> None:
    unit, column = _unit(pixels), int(rng.uniform(0, pixels.shape[1]))
    foot = horizon + int(rng.uniform(0, 40) * unit)
    color = clipped(random_color(rng, 40, 200) * 0.4 + 40)
    thickness = max(1, round(rng.uniform(1, 3) * unit))
    cv2.line(pixels, (column, 0), (column, foot), color, thickness)


def _add_stain(rng: np.random.Generator, pixels: Field, horizon: int) -> None:
    height, width = pixels.shape[:2]
    center = int(rng.uniform(0, width)), int(rng.uniform(horizon, height))
    radii = int(rng.uniform(6, 34) * _unit(pixels)), int(rng.uniform(3, 14) * _unit(pixels))
    mask = np.zeros((height, width), np.float32)
    cv2.ellipse(mask, center, radii, rng.uniform(-20, 20), 0, 360, (1.0,), -1)
    strength = rng.uniform(-0.15, 0.3)
    pixels *= (1 - strength * cv2.blur(mask, (3, 3)))[..., None]


def _add_bush(rng: np.random.Generator, pixels: Field, horizon: int) -> None:
    unit, column = _unit(pixels), int(rng.uniform(0, pixels.shape[1]))
    green = np.array([rng.uniform(30, 80), rng.uniform(70, 130), rng.uniform(25, 70)])
    for _ in range(int(rng.integers(5, 12))):
        at = column + int(rng.normal(0, 14) * unit), horizon - int(rng.uniform(0, 14) * unit)
        radius = max(1, int(rng.uniform(4, 10) * unit))
        cv2.circle(pixels, at, radius, clipped(green, rng.uniform(0.75, 1.2)), -1)


CLUTTER: tuple[FloorLayer, ...] = (_add_building, _add_pole, _add_stain, _add_stain, _add_bush)


def _weathered(rng: np.random.Generator, pixels: Field) -> Field:
    """The yard with fine grain and large uneven patches."""
    height, width = pixels.shape[:2]
    grain = smooth_noise(rng, height, width, cell=2.5 * _unit(pixels))
    patches = smooth_noise(rng, height, width, cell=40 * _unit(pixels))
    factor = 1 + rng.uniform(0.02, 0.09) * grain + rng.uniform(0.02, 0.12) * patches
    return np.clip(pixels * factor[..., None], 0, 255).astype(np.float32)
