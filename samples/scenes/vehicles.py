"""Vehicles: car and truck, seen from the side."""

import numpy as np

from samples.scenes.paint import Color, Sprite, gray, random_color

GROUND = 0.98
TYRE, HEADLIGHT, TAILLIGHT = gray(28), np.array([250.0, 240, 185]), np.array([205.0, 35, 30])


def draw_car(sprite: Sprite, rng: np.random.Generator) -> None:
    paint = random_color(rng)
    height, roof_start = rng.uniform(0.31, 0.37), rng.uniform(0.2, 0.28)
    wheel = height * rng.uniform(0.23, 0.28)
    top, sill = GROUND - height, GROUND - wheel * 0.8
    belt = top + height * 0.43
    _car_body(sprite, paint, belt=belt, sill=sill)
    roof = [(roof_start - 0.06, belt + 0.01), (roof_start + 0.09, top), (0.66, top)]
    sprite.polygon([*roof, (rng.uniform(0.8, 0.9), belt + 0.01)], paint * 0.93)
    _car_windows(sprite, rng, start=roof_start, top=top + 0.03, belt=belt)
    sprite.stroke((0.485, belt), (0.485, sill), paint * 0.6, width=0.008, detail=True)
    sprite.stroke((0.05, sill - 0.02), (0.95, sill - 0.02), paint * 0.7, width=0.02, detail=True)
    for center in (0.21, 0.79):
        _wheel(sprite, center, wheel, hub=gray(rng.uniform(110, 205)))
    sprite.ellipse((0.05, belt + 0.06), (0.025, 0.025), HEADLIGHT, detail=True)
    sprite.ellipse((0.955, belt + 0.05), (0.018, 0.03), TAILLIGHT, detail=True)


def _car_body(sprite: Sprite, paint: Color, *, belt: float, sill: float) -> None:
    nose = [(0.025, sill), (0.03, belt + 0.06), (0.16, belt)]
    tail = [(0.94, belt - 0.005), (0.975, belt + 0.05), (0.975, sill)]
    sprite.polygon([*nose, *tail], paint)


def _car_windows(
    sprite: Sprite, rng: np.random.Generator, *, start: float, top: float, belt: float
) -> None:
    glass = np.array([120.0, 150, 170]) * rng.uniform(0.35, 1.2)
    front = [(start + 0.01, belt), (start + 0.105, top), (0.465, top), (0.465, belt)]
    rear = [(0.505, belt), (0.505, top), (0.645, top), (0.76, belt)]
    for window in (front, rear):
        sprite.polygon(window, glass, detail=True)


def _wheel(sprite: Sprite, center: float, radius: float, *, hub: Color) -> None:
    middle = (center, GROUND - radius)
    sprite.ellipse(middle, (radius, radius), TYRE)
    sprite.ellipse(middle, (radius * 0.55, radius * 0.55), hub, detail=True)


def draw_truck(sprite: Sprite, rng: np.random.Generator) -> None:
    cab_paint, box_paint = random_color(rng), random_color(rng)
    height, cab_end = rng.uniform(0.52, 0.64), rng.uniform(0.24, 0.31)
    top, wheel = GROUND - height, height * rng.uniform(0.14, 0.17)
    sill = GROUND - wheel
    sprite.rectangle((cab_end - 0.01, sill - 0.09), (0.97, sill), gray(45))
    sprite.rectangle((cab_end + 0.02, top), (0.975, sill - 0.03), box_paint)
    _cargo_details(sprite, rng, left=cab_end + 0.02, top=top, bottom=sill - 0.03, paint=box_paint)
    roof = top + height * rng.uniform(0.1, 0.25)
    windscreen = top + height * 0.5
    cab = [(0.025, sill), (0.025, windscreen), (0.08, roof), (cab_end, roof), (cab_end, sill)]
    sprite.polygon(cab, cab_paint)
    glass = np.array([120.0, 150, 170]) * rng.uniform(0.35, 1.2)
    window = [(0.06, windscreen), (0.1, roof + 0.04), (cab_end - 0.04, roof + 0.04)]
    sprite.polygon([*window, (cab_end - 0.04, windscreen)], glass, detail=True)
    sprite.ellipse((0.045, sill - 0.06), (0.02, 0.025), HEADLIGHT, detail=True)
    for center in (0.15, 0.7, 0.87):
        _wheel(sprite, center, wheel, hub=gray(rng.uniform(110, 190)))


def _cargo_details(
    sprite: Sprite,
    rng: np.random.Generator,
    *,
    left: float,
    top: float,
    bottom: float,
    paint: Color,
) -> None:
    for rib in np.linspace(left, 0.975, int(rng.integers(4, 9)))[1:-1]:
        sprite.stroke((rib, top), (rib, bottom), paint * 0.8, width=0.01, detail=True)
    if rng.random() < 0.5:
        low, high = (left + 0.1, top + 0.1), (0.9, top + rng.uniform(0.16, 0.26))
        sprite.rectangle(low, high, random_color(rng), detail=True)
