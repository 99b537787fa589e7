"""Things that stand in a yard: ball, crate, cone and barrel."""

import numpy as np

from samples.scenes.paint import Color, Sprite, picked, random_color

GROUND = 0.98
WOODS = ((176, 128, 75), (150, 100, 60), (200, 160, 100))
SAFETY_ORANGE = np.array([235.0, 95, 25])
REFLECTIVE = np.array([236.0, 236, 230])


def draw_ball(sprite: Sprite, rng: np.random.Generator) -> None:
    radius = 0.45
    center = (0.5, GROUND - radius)
    sprite.ellipse(center, (radius, radius), random_color(rng))
    _ball_pattern(sprite, rng, center=center, radius=radius)
    sprite.clip()
    across, down = sprite.grid()
    light = (
        center[0] + rng.uniform(-0.5, 0.5) * radius,
        center[1] - rng.uniform(0.2, 0.8) * radius,
    )
    distance = np.hypot(across - light[0], down - light[1]) / radius
    sprite.shade(np.clip(1.35 - 0.62 * distance, 0.25, 1.4))
    sprite.ellipse(light, (0.05, 0.04), REFLECTIVE, detail=True)


def _ball_pattern(
    sprite: Sprite, rng: np.random.Generator, *, center: tuple[float, float], radius: float
) -> None:
    second = random_color(rng)
    if rng.random() < 0.35:
        for angle in rng.uniform(0, 2 * np.pi, 7):
            reach = radius * rng.uniform(0, 0.8)
            spot = (center[0] + reach * np.cos(angle), center[1] + reach * np.sin(angle))
            sprite.ellipse(spot, (radius * 0.2, radius * 0.2), second, detail=True)
    else:
        band = (radius, radius * rng.uniform(0.2, 0.45))
        sprite.ellipse(center, band, second, degrees=rng.uniform(0, 180), detail=True)


def draw_crate(sprite: Sprite, rng: np.random.Generator) -> None:
    wood = random_color(rng) if rng.random() < 0.25 else picked(rng, WOODS)
    width, height, depth = rng.uniform(0.55, 0.7), rng.uniform(0.48, 0.66), rng.uniform(0.14, 0.26)
    left, top, rise = (1 - width - depth) / 2, GROUND - height, depth * 0.6
    right = left + width
    lid = [(left, top), (left + depth, top - rise), (right + depth, top - rise), (right, top)]
    sprite.polygon(lid, wood * 1.15)
    far = right + depth
    side = [(right, top), (far, top - rise), (far, GROUND - rise), (right, GROUND)]
    sprite.polygon(side, wood * 0.6)
    sprite.rectangle((left, top), (right, GROUND), wood)
    _crate_planks(sprite, rng, low=(left, top), high=(right, GROUND), wood=wood)


def _crate_planks(
    sprite: Sprite,
    rng: np.random.Generator,
    *,
    low: tuple[float, float],
    high: tuple[float, float],
    wood: Color,
) -> None:
    for gap in np.linspace(low[1], high[1], int(rng.integers(4, 7)))[1:-1]:
        sprite.stroke((low[0], gap), (high[0], gap), wood * 0.6, width=0.012, detail=True)
    for post in (low[0] + 0.03, high[0] - 0.03):
        sprite.stroke((post, low[1]), (post, high[1]), wood * 0.85, width=0.05, detail=True)
    if rng.random() < 0.6:
        start, end = (low[0] + 0.05, high[1] - 0.05), (high[0] - 0.05, low[1] + 0.05)
        sprite.stroke(start, end, wood * 0.78, width=0.045, detail=True)
    sprite.clip()


def draw_cone(sprite: Sprite, rng: np.random.Generator) -> None:
    paint = SAFETY_ORANGE * rng.uniform(0.8, 1.1) if rng.random() < 0.75 else random_color(rng)
    top, foot, half = 0.06, GROUND - 0.08, rng.uniform(0.26, 0.33)
    tip = half * 0.2
    base = [(0.5 - half * 1.25, GROUND), (0.5 + half * 1.25, GROUND)]
    sprite.polygon([*base, (0.5 + half * 1.1, foot), (0.5 - half * 1.1, foot)], paint * 0.72)
    flank = [(0.5 + half * 0.85, foot), (0.5 - half * 0.85, foot)]
    sprite.polygon([(0.5 - tip, top), (0.5 + tip, top), *flank], paint)
    for start, end in ((0.3, 0.45), (0.6, 0.74)):
        _cone_ring(sprite, top=top, foot=foot, tip=tip, half=half * 0.85, span=(start, end))
    across, _ = sprite.grid()
    lit_from = rng.choice([-1.0, 1.0])
    sprite.shade(np.clip(1.0 + lit_from * (across - 0.5) * 1.1, 0.6, 1.3))


def _cone_ring(
    sprite: Sprite,
    *,
    top: float,
    foot: float,
    tip: float,
    half: float,
    span: tuple[float, float],
) -> None:
    heights = [top + (foot - top) * share for share in span]
    widths = [tip + (half - tip) * share for share in span]
    upper = [(0.5 - widths[0], heights[0]), (0.5 + widths[0], heights[0])]
    lower = [(0.5 + widths[1], heights[1]), (0.5 - widths[1], heights[1])]
    sprite.polygon([*upper, *lower], REFLECTIVE, detail=True)


def draw_barrel(sprite: Sprite, rng: np.random.Generator) -> None:
    paint = random_color(rng)
    half, height = rng.uniform(0.27, 0.34), rng.uniform(0.76, 0.9)
    rim, top = half * rng.uniform(0.22, 0.34), GROUND - height
    sprite.rectangle((0.5 - half, top + rim), (0.5 + half, GROUND - rim), paint)
    sprite.ellipse((0.5, GROUND - rim), (half, rim), paint)
    for share in (0.33, 0.66):
        band = (0.5, top + rim + (height - 2 * rim) * share)
        sprite.ellipse(band, (half, rim * 0.5), paint * 0.7, detail=True)
    if rng.random() < 0.5:
        low = (0.5 - half * 0.5, top + height * 0.45)
        sprite.rectangle(low, (0.5 + half * 0.5, low[1] + 0.15), random_color(rng), detail=True)
    across, _ = sprite.grid()
    offset = np.abs((across - 0.5) / half - rng.uniform(-0.5, 0.5))
    sprite.shade(np.clip(1.25 - 0.8 * offset**1.6, 0.3, 1.3))
    sprite.ellipse((0.5, top + rim), (half, rim), paint * 1.15)
    sprite.ellipse((0.5, top + rim), (half * 0.85, rim * 0.8), paint * 0.85, detail=True)
