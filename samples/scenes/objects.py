"""The eight kinds of object, and how big they stand in a yard."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from samples.scenes.living import draw_dog, draw_person
from samples.scenes.paint import Sprite, smooth_noise
from samples.scenes.things import draw_ball, draw_barrel, draw_cone, draw_crate
from samples.scenes.vehicles import draw_car, draw_truck


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """A kind of object: its label, its painter, its usual size."""

    label: str
    draw: Callable[[Sprite, np.random.Generator], None]
    relative_size: float
    """Side of its sprite, as a share of the picture's shorter side, in mid-distance."""


KINDS: tuple[ObjectKind, ...] = (
    ObjectKind("person", draw_person, 0.44),
    ObjectKind("car", draw_car, 0.50),
    ObjectKind("truck", draw_truck, 0.55),
    ObjectKind("dog", draw_dog, 0.36),
    ObjectKind("ball", draw_ball, 0.22),
    ObjectKind("crate", draw_crate, 0.31),
    ObjectKind("cone", draw_cone, 0.31),
    ObjectKind("barrel", draw_barrel, 0.36),
)
"""In the order of their class ids, which start at 1 (0 is the background)."""


def painted(
    kind: ObjectKind, rng: np.random.Generator, *, side: int, step: float | None = None
) -> Sprite:
    """One object of this kind, textured, lit from above, and facing either way.

    With a `step` its legs are there (see `Sprite`), and it faces left.
    """
    sprite = Sprite(side, step=step)
    kind.draw(sprite, rng)
    texture = smooth_noise(rng, side, side, cell=side * rng.uniform(0.02, 0.06))
    light = np.linspace(rng.uniform(0.95, 1.2), rng.uniform(0.7, 1.0), side, dtype=np.float32)
    sprite.shade((1 + rng.uniform(0.02, 0.09) * texture) * light[:, None])
    if rng.random() < 0.5 and step is None:
        sprite.mirror()
    return sprite
