"""Living things: person and dog. No limb is thinner than a mask of 64 x 64 can follow."""

from dataclasses import dataclass

import numpy as np

from samples.scenes.paint import Color, Sprite, gray, picked, random_color

GROUND = 0.98
SKINS = ((224, 180, 150), (140, 95, 70), (92, 62, 46), (240, 205, 180))
FURS = ((150, 105, 60), (60, 50, 45), (220, 205, 180), (112, 110, 110))
SHOE = np.array([42.0, 36, 32])


@dataclass(frozen=True, slots=True)
class Build:
    """Where the parts of one person are, in fractions of the sprite."""

    hip: float
    shoulder: float
    half_width: float
    stride: float
    arm_swing: float


def draw_person(sprite: Sprite, rng: np.random.Generator) -> None:
    height = 0.95
    build = Build(
        hip=GROUND - height * 0.46,
        shoulder=GROUND - height * 0.8,
        half_width=height * rng.uniform(0.11, 0.145),
        stride=sprite.stride(rng, 0.13),
        arm_swing=rng.uniform(-0.07, 0.12),
    )
    skin, shirt = picked(rng, SKINS), random_color(rng)
    _legs(sprite, build, random_color(rng, 40, 150))
    _arm(sprite, build, side=-1, sleeve=shirt * 0.75, skin=skin)
    _torso(sprite, rng, build=build, shirt=shirt)
    _arm(sprite, build, side=1, sleeve=shirt * 0.9, skin=skin)
    radius = height * rng.uniform(0.08, 0.095)
    head = build.shoulder - radius * 0.85
    sprite.ellipse((0.5, head), (radius * 0.85, radius), skin)
    hair = random_color(rng, 60, 140) * 0.4
    sprite.ellipse((0.5, head - radius * 0.45), (radius * 0.9, radius * 0.65), hair)


def _legs(sprite: Sprite, build: Build, trousers: Color) -> None:
    width = build.half_width
    for side, tone in ((-1, 0.8), (1, 1.0)):
        hip = (0.5 + side * width * 0.45, build.hip)
        foot = (0.5 + side * width * 0.45 + side * build.stride, GROUND - 0.035)
        sprite.stroke(hip, foot, trousers * tone, width=width * 0.95)
        sprite.ellipse((foot[0] + 0.015, GROUND - 0.025), (width * 0.6, 0.028), SHOE)


def _torso(sprite: Sprite, rng: np.random.Generator, *, build: Build, shirt: Color) -> None:
    width, top = build.half_width, build.shoulder
    low = build.hip + 0.05
    sprite.polygon(
        [
            (0.5 - width * 0.9, top),
            (0.5 + width * 0.9, top),
            (0.5 + width, top + 0.06),
            (0.5 + width * 0.9, low),
            (0.5 - width * 0.9, low),
            (0.5 - width, top + 0.06),
        ],
        shirt,
    )
    if rng.random() < 0.4:
        left, right = 0.5 - width * 0.92, 0.5 + width * 0.92
        sprite.rectangle((left, top + 0.1), (right, top + 0.17), random_color(rng), detail=True)


def _arm(sprite: Sprite, build: Build, *, side: int, sleeve: Color, skin: Color) -> None:
    width = build.half_width
    shoulder = (0.5 + side * width * 0.85, build.shoulder + 0.05)
    hand = (0.5 + side * (width + 0.03 + build.arm_swing), build.hip)
    sprite.stroke(shoulder, hand, sleeve, width=width * 0.62)
    sprite.ellipse(hand, (width * 0.36, width * 0.36), skin)


def draw_dog(sprite: Sprite, rng: np.random.Generator) -> None:
    fur = picked(rng, FURS)
    body = (0.53, GROUND - rng.uniform(0.36, 0.42))
    radii = (0.29, rng.uniform(0.135, 0.17))
    _dog_legs(sprite, rng, body=body, fur=fur)
    tail = (body[0] + 0.4, body[1] - rng.uniform(0.08, 0.24))
    sprite.stroke((body[0] + 0.24, body[1] - 0.05), tail, fur * 0.9, width=0.065)
    sprite.ellipse(body, radii, fur)
    if rng.random() < 0.6:
        patch = fur * rng.uniform(0.5, 1.5)
        sprite.ellipse((body[0] + 0.05, body[1] - 0.04), (0.12, 0.08), patch, detail=True)
    _dog_head(sprite, rng, body=body, fur=fur)


def _dog_legs(
    sprite: Sprite, rng: np.random.Generator, *, body: tuple[float, float], fur: Color
) -> None:
    step = sprite.stride(rng, 0.06)
    for offset, sign, tone in (
        (-0.19, 1, 0.75),
        (0.19, 1, 0.75),
        (-0.14, -1, 0.95),
        (0.22, -1, 0.95),
    ):
        top = (body[0] + offset, body[1] + 0.06)
        paw = (top[0] + sign * step, GROUND - 0.035)
        sprite.stroke(top, paw, fur * tone, width=0.085)


def _dog_head(
    sprite: Sprite, rng: np.random.Generator, *, body: tuple[float, float], fur: Color
) -> None:
    x, y = body[0] - 0.33, body[1] - rng.uniform(0.12, 0.2)
    sprite.stroke((body[0] - 0.19, body[1] - 0.02), (x, y), fur, width=0.15)
    sprite.ellipse((x, y), (0.105, 0.095), fur * 1.05)
    sprite.ellipse((x - 0.09, y + 0.03), (0.07, 0.048), fur * 0.95)
    sprite.ellipse((x - 0.145, y + 0.015), (0.022, 0.022), gray(22), detail=True)
    sprite.ellipse((x + 0.05, y - 0.035), (0.042, 0.085), fur * 0.6, degrees=20)
    sprite.ellipse((x - 0.03, y - 0.02), (0.014, 0.014), gray(12), detail=True)
